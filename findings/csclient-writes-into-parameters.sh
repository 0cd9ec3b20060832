#!/usr/bin/env bash
# csclient 0.6.4 (npm), a CloudStack client for Node, writes the command, the key and the signature into the
# object of parameters that it is given. Whoever uses one object for two calls has the second one signed
# together with the first one's signature, which no CloudStack accepts: 401.
#
# Seen with Node 20: the first call's signature is right, the second one's is not, and the object holds
# `apiKey,command,expires,listall,response,signature,signatureversion`. Pass a copy for each call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund csclient@0.6.4 >/dev/null
cat >try.js <<'JS'
const http = require("http");
const crypto = require("crypto");
const CloudStack = require("csclient");

// As CloudStack does it: names in lower case, sorted, values encoded, all of it in lower case, HMAC-SHA1.
const isRight = (query) => {
  const { signature, ...rest } = Object.fromEntries(query);
  const pairs = Object.entries(rest).map(([name, value]) => `${name}=${encodeURIComponent(value)}`.toLowerCase());
  const text = pairs.sort().join("&").replace(/\+/g, "%20");
  return crypto.createHmac("sha1", "secret").update(text).digest("base64") === signature;
};
const server = http.createServer((request, response) => {
  const query = new URL(request.url, "http://localhost").searchParams;
  console.log(query.get("command"), isRight(query) ? "is signed rightly" : "is signed wrongly");
  response.end("{}");
});
server.listen(0, "127.0.0.1", () => {
  const baseUrl = `http://127.0.0.1:${server.address().port}/client/api?`;
  const cloud = new CloudStack({ apiKey: "key", secretKey: "secret", baseUrl });
  const parameters = { listall: true };
  cloud.executeSync("listZones", parameters, () => {
    console.log(Object.keys(parameters).sort().join());
    cloud.executeSync("listHosts", parameters, () => process.exit(0));
  });
});
JS
node try.js 2>/dev/null | grep -v '^listApis' | tee seen
diff seen - <<'SEEN'
listZones is signed rightly
apiKey,command,expires,listall,response,signature,signatureversion
listHosts is signed wrongly
SEEN
