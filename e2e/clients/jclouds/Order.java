// A public CloudStack client, Apache jclouds, on a CloudStack: it lists, orders and reads.
//
// Order URL KEY SECRET: orders a machine, stops, starts and destroys it, and prints one JSON object:
// `machine` (its id), `events` (type and state of all that came meanwhile and are about machines: jclouds
// does not read what an event is about), `listed` (how many rows of each list the client decoded) and
// `refused` (what it says of a wrong key).


import com.google.gson.Gson;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.jclouds.Constants;
import org.jclouds.ContextBuilder;
import org.jclouds.cloudstack.CloudStackApi;
import org.jclouds.cloudstack.CloudStackContext;
import org.jclouds.cloudstack.domain.AsyncJob;
import org.jclouds.cloudstack.domain.Event;
import org.jclouds.cloudstack.domain.TemplateFilter;
import org.jclouds.cloudstack.options.DeployVirtualMachineOptions;
import org.jclouds.cloudstack.options.ListTemplatesOptions;

public final class Order {
    private static CloudStackContext context(String url, String key, String secret) {
        // It takes a refused key for a connection that broke, and tries again for ten seconds.
        Properties once = new Properties();
        once.setProperty(Constants.PROPERTY_MAX_RETRIES, "0");
        return ContextBuilder.newBuilder("cloudstack")
                .overrides(once)
                .endpoint(url)
                .credentials(key, secret)
                .buildView(CloudStackContext.class);
    }

    private static void await(CloudStackApi api, String job) throws InterruptedException {
        AsyncJob<?> now;
        while ((now = api.getAsyncJobApi().getAsyncJob(job)).getStatus() == AsyncJob.Status.IN_PROGRESS) {
            Thread.sleep(50);
        }
        if (!now.hasSucceed()) {
            throw new IllegalStateException("job " + job + " failed: " + now.getError());
        }
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0], key = arguments[1], secret = arguments[2];
        Map<String, Object> told = new TreeMap<>();
        try (CloudStackContext context = context(url, key, secret)) {
            visit(context.getApi(), told);
        }
        try (CloudStackContext context = context(url, key, "wrong")) {
            context.getApi().getZoneApi().listZones();
            told.put("refused", null);
        } catch (RuntimeException refused) {
            told.put("refused", String.valueOf(refused.getMessage()));
        }
        System.out.println(new Gson().toJson(told));
        System.exit(0);
    }

    private static void visit(CloudStackApi api, Map<String, Object> told) throws Exception {
        var zones = api.getZoneApi().listZones();
        var offerings = api.getOfferingApi().listServiceOfferings();
        var executable = ListTemplatesOptions.Builder.filter(TemplateFilter.EXECUTABLE);
        var templates = api.getTemplateApi().listTemplates(executable);
        var machines = api.getVirtualMachineApi().listVirtualMachines();
        var volumes = api.getVolumeApi().listVolumes();
        var before = api.getEventApi().listEvents();
        told.put("listed", Map.of(
                "zones", zones.size(),
                "offerings", offerings.size(),
                "templates", templates.size(),
                "machines", machines.size(),
                "volumes", volumes.size(),
                "events", before.size()));
        var ordered = api.getVirtualMachineApi().deployVirtualMachineInZone(
                zones.iterator().next().getId(),
                offerings.iterator().next().getId(),
                templates.iterator().next().getId(),
                new DeployVirtualMachineOptions().name("by-jclouds"));
        await(api, ordered.getJobId());
        String machine = ordered.getId();
        told.put("machine", machine);
        await(api, api.getVirtualMachineApi().stopVirtualMachine(machine));
        await(api, api.getVirtualMachineApi().startVirtualMachine(machine));
        await(api, api.getVirtualMachineApi().destroyVirtualMachine(machine));
        Set<String> known = new HashSet<>();
        before.forEach(event -> known.add(event.getId()));
        List<String[]> events = new ArrayList<>();
        for (Event event : api.getEventApi().listEvents()) {
            if (!known.contains(event.getId()) && event.getType().startsWith("VM.")) {
                events.add(new String[] {event.getType(), event.getState()});
            }
        }
        told.put("events", events);
    }
}
