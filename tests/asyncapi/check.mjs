// Checks what `smartstore schema` prints with the tools that its readers use: the AsyncAPI parser, and a JSON Schema
// validator over the golden payloads. One line per finding on standard error; ends with 1 if there was one.
//
// node check.mjs DOCUMENTS GOLDEN
//   DOCUMENTS  folder with asyncapi.json, events.json, commands.json
//   GOLDEN     folder with the golden payloads, tests/contract/v1

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const [documents, golden] = process.argv.slice(2);
const SEVERITY_ERROR = 0;
let findings = 0;
let checks = 0;

function expect(holds, finding) {
  checks += 1;
  if (!holds) {
    findings += 1;
    console.error(finding);
  }
}

// The deepest complaints say most; a `oneOf` has one for each of its branches.
function why(errors) {
  return (errors ?? []).slice(0, 3).map((one) => `${one.instancePath} ${one.message}`).join("; ");
}

function read(folder, name) {
  return JSON.parse(readFileSync(join(folder, name), "utf8"));
}

// `strict` finds misspelt keywords; types may be unions, and `required` may stand beside a `oneOf`.
function validator(Kind) {
  const ajv = new Kind({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  // schemars gives the width of an integer.
  ajv.addFormat("uint64", (value) => value >= 0);
  ajv.addFormat("uint", (value) => value >= 0);
  ajv.addFormat("uint32", (value) => value >= 0 && value < 2 ** 32);
  ajv.addFormat("uint8", (value) => value >= 0 && value < 2 ** 8);
  ajv.addFormat("uint16", (value) => value >= 0 && value < 2 ** 16);
  ajv.addFormat("int16", (value) => value >= -(2 ** 15) && value < 2 ** 15);
  return addFormats(ajv);
}

// Each broken copy must be refused, or the schema says nothing.
function brokenCopies(payload) {
  const copies = Object.keys(payload)
    .filter((field) => field !== "cause" && field !== "device" && field !== "args")
    .map((field) => [`without ${field}`, { ...payload, [field]: undefined }]);
  return copies.map(([what, copy]) => [what, JSON.parse(JSON.stringify(copy))]);
}

function checkSchema(name, payloads, alsoBroken) {
  const validate = validator(Ajv2020).compile(read(documents, name));
  expect(payloads.length > 0, `${name}: there is no golden payload for it`);
  for (const file of payloads) {
    const payload = read(golden, file);
    expect(validate(payload), `${name} refuses ${file}: ${why(validate.errors)}`);
    for (const [what, broken] of [...brokenCopies(payload), ...alsoBroken(payload)]) {
      expect(!validate(broken), `${name} takes ${file} ${what}`);
    }
  }
}

async function checkAsyncapi() {
  const text = readFileSync(join(documents, "asyncapi.json"), "utf8");
  const { document, diagnostics } = await new Parser().parse(text);
  for (const one of diagnostics) {
    if (one.severity !== SEVERITY_ERROR) console.log(`note: ${one.path.join("/")}: ${one.message}`);
    expect(one.severity !== SEVERITY_ERROR, `asyncapi: ${one.path.join("/")}: ${one.message}`);
  }
  expect(document, "asyncapi: the parser gives no document");
  if (!document) return;
  expect(document.channels().length === 8, `asyncapi: ${document.channels().length} channels`);
  expect(document.operations().filterBySend().length === 6, "asyncapi: six operations send");
  expect(document.operations().filterByReceive().length === 2, "asyncapi: two operations receive");
  for (const message of document.components().messages()) {
    const validate = validator(Ajv).compile(withoutParserMarks(message.payload().json()));
    for (const example of message.examples()) {
      const holds = validate(example.payload());
      expect(holds, `asyncapi: example ${example.name()} of ${message.id()}: ${why(validate.errors)}`);
    }
  }
  const misspelt = text.replace('"action": "send"', '"action": "sends"');
  const broken = await new Parser().parse(misspelt);
  expect(broken.diagnostics.some((one) => one.severity === SEVERITY_ERROR), "asyncapi: the parser takes anything");
}

// The parser leaves `x-parser-…` in what it has resolved, which a strict validator does not know.
function withoutParserMarks(schema) {
  return JSON.parse(JSON.stringify(schema, (key, value) => (key.startsWith("x-parser-") ? undefined : value)));
}

const files = readdirSync(golden).sort();
const isEvent = (file) => /\.v\d+(\.[a-z]+)?\.json$/.test(file);
checkSchema("events.json", files.filter(isEvent), (event) => [
  ["with seq 0", { ...event, seq: 0 }],
  ["with a type that nobody knows", { ...event, type: "no.such.v1" }],
  ["with the data of another type", { ...event, data: { nothing: "of the kind" } }],
]);
checkSchema("commands.json", files.filter((file) => file.startsWith("command.") && !isEvent(file)), (command) => [
  ["with an action that nobody knows", { ...command, action: "fly" }],
  ["with an argument that nobody knows", { ...command, args: { ...command.args, speed: 7 } }],
  ["with a space in its id", { ...command, id: "a b" }],
]);
await checkAsyncapi();
console.log(`${checks} checks, ${findings} findings`);
process.exitCode = findings === 0 && checks > 0 ? 0 : 1;
