// A Fluentd forward server, for Pluvio's tests: node server.js OPTIONS, which are JSON: port, file,
// and if wanted key (shared), users (names to passwords), cert and certKey (PEM files).
//
// What arrives is appended to the file before it is acknowledged, one JSON object a line: place (the
// tag), properties.time and body (base64 of the record as JSON).
"use strict";

const fs = require("fs");
const { EventTime, FluentServer } = require("@fluent-org/logger");

const options = JSON.parse(process.argv[2]);
const file = fs.openSync(options.file, "a");

class Book extends FluentServer {
  onEntry(tag, time, record) {
    const isFine = time instanceof EventTime;
    const at = isFine ? `${time.epoch}.${String(time.nano).padStart(9, "0")}` : String(time);
    const body = Buffer.from(JSON.stringify(record)).toString("base64");
    const line = { place: tag, properties: { time: at }, body };
    fs.writeSync(file, JSON.stringify(line) + "\n");
  }
}

const settings = { keepalive: true, listenOptions: { host: "127.0.0.1", port: options.port } };
if (options.key) {
  settings.security = {
    serverHostname: "localhost",
    sharedKey: options.key,
    authorize: Boolean(options.users),
    userDict: options.users || {},
  };
}
if (options.cert) {
  settings.tlsOptions = {
    cert: fs.readFileSync(options.cert),
    key: fs.readFileSync(options.certKey),
  };
}
const server = new Book(settings);
// A client that is refused is an error of its connection, not of the server.
server.on("error", (error) => console.error("error:", error.message));
process.on("SIGTERM", () => process.exit(0));
server.listen().then(() => console.log("listening"));
