// A Fluentd forward client, for Pluvio's tests: node client.js OPTIONS, which are JSON: port, mode
// (Message, Forward, PackedForward or CompressedPackedForward), and if wanted key, user, password
// and ca (PEM file).
//
// Reads one JSON object a line: place (the tag) and body (base64 of a JSON object, the record). Ends
// well when all were acknowledged.
"use strict";

const fs = require("fs");
const { FluentClient } = require("@fluent-org/logger");

const options = JSON.parse(process.argv[2]);
const settings = {
  eventMode: options.mode,
  socket: { host: "localhost", port: options.port, timeout: 5000 },
  ack: { ackTimeout: 5000 },
};
if (options.key) {
  const { key: sharedKey, user: username, password } = options;
  settings.security = { clientHostname: "client", sharedKey, username, password };
}
if (options.ca) {
  settings.socket.tls = { ca: fs.readFileSync(options.ca), servername: "localhost" };
}

// A connection that is refused leaves nothing to wait for, and no error either.
process.exitCode = 1;

async function main() {
  const client = new FluentClient(null, settings);
  client.socketOn("error", (error) => console.error("error:", error.message));
  const lines = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);
  for (const { place, body } of lines.map((line) => JSON.parse(line))) {
    await client.emit(place, JSON.parse(Buffer.from(body, "base64").toString()));
  }
  await client.disconnect();
  process.exitCode = 0;
}

main().catch((error) => {
  console.error("error:", error.message);
  process.exit(1);
});
