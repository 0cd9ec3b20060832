import org.codelibs.opensearch.runner.OpenSearchRunner;

/**
 * One node of OpenSearch for Pluvio's tests: {@code Node.java FOLDER HTTP_PORT TRANSPORT_PORT}, run
 * from its source. The runner would otherwise choose ports by itself, and disks that are nearly full
 * would make indexes read-only.
 */
class Node {
  public static void main(String[] arguments) throws Exception {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.onBuild(
        (number, settings) -> {
          settings.put("discovery.type", "single-node");
          settings.put("network.host", "127.0.0.1");
          settings.put("http.port", arguments[1]);
          settings.put("transport.port", arguments[2]);
          settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
    OpenSearchRunner.Configs configs = OpenSearchRunner.newConfigs();
    runner.build(configs.basePath(arguments[0]).clusterName("pluvio").numOfNode(1).useLogger());
    Thread.currentThread().join();
  }

  private static void close(OpenSearchRunner runner) {
    try {
      runner.close();
    } catch (java.io.IOException error) {
      System.err.println("failed to close: " + error);
    }
  }
}
