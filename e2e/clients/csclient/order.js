// A public CloudStack client, csclient, on a CloudStack: it lists, orders and reads.
//
// order.js URL KEY SECRET: orders a machine, stops, starts and destroys it, and prints one JSON object:
// `machine` (its id), `events` (type and state of all that the cloud lists about it), `listed` (how many
// rows of each list the client saw) and `refused` (what it says of a wrong key). It learns from `listApis`
// which commands are jobs.
"use strict";

const CloudStack = require("csclient");

const client = (url, apiKey, secretKey) =>
  new Promise((resolve, reject) => {
    const cloud = new CloudStack({
      apiKey,
      secretKey,
      baseUrl: `${url}?`,
      pollingTime: 50,
      pollingNumber: 400,
      singleExecutor: true,
    });
    cloud.on("ready", () => resolve(cloud));
    cloud.on("error", reject);
  });

// The client writes its own parameters into the object that it is given.
const asker = (cloud) => (command, parameters) =>
  new Promise((resolve, reject) =>
    cloud.execute(command, { ...parameters }, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

async function main([url, key, secret]) {
  const ask = asker(await client(url, key, secret));
  const rows = async (command, name, parameters = {}) => {
    const answer = await ask(command, parameters);
    return (answer[`${command.toLowerCase()}response`] ?? answer)[name] ?? [];
  };
  const all = { listall: true };
  const zones = await rows("listZones", "zone");
  const offerings = await rows("listServiceOfferings", "serviceoffering");
  const templates = await rows("listTemplates", "template", { templatefilter: "executable" });
  const machines = await rows("listVirtualMachines", "virtualmachine", all);
  const volumes = await rows("listVolumes", "volume", all);
  const events = [];
  for (let page = 1, found; (found = await rows("listEvents", "event", { ...all, page, pagesize: 50 })).length; page++) {
    events.push(...found);
  }
  const ordered = await ask("deployVirtualMachine", {
    name: "by-csclient",
    zoneid: zones[0].id,
    serviceofferingid: offerings[0].id,
    templateid: templates[0].id,
  });
  const { id } = (ordered.queryasyncjobresultresponse ?? ordered).jobresult.virtualmachine;
  for (const command of ["stopVirtualMachine", "startVirtualMachine", "destroyVirtualMachine"]) {
    await ask(command, { id });
  }
  const about = [];
  for (let page = 1, found; (found = await rows("listEvents", "event", { ...all, page, pagesize: 100 })).length; page++) {
    about.push(...found.filter((event) => event.resourceid === id));
  }
  const refused = await client(url, key, "wrong").then(
    (cloud) => asker(cloud)("listZones", {}).then(() => null, (error) => String(error.message)),
    (error) => String(error.message),
  );
  const listed = { zones, offerings, templates, machines, volumes, events };
  console.log(
    JSON.stringify({
      machine: id,
      events: about.map((event) => [event.type, event.state]),
      listed: Object.fromEntries(Object.entries(listed).map(([name, found]) => [name, found.length])),
      refused,
    }),
  );
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
