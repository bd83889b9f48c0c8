// Holds Kubernetes objects to their published schemas, with unknown fields forbidden.
//
//   node validate.mjs NODE_MODULES < objects.json
//
// Reads a list of objects; prints a list of lists of problems, one for each object.
//
// The validators were compiled from the custom resource definitions and from Kubernetes' own OpenAPI
// document. They check types, enumerations and what is required, and ignore fields that they do not
// know, which an API server with strict validation refuses. A compiled validator asks for every
// property of its schema by name, so a property that it did not ask for is not in the schema. An
// object that it never asked for any property is one whose content the schema leaves open.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const load = async (...path) => import(pathToFileURL(join(modules, ...path)));

const packages = [
  [/^postgresql\.cnpg\.io$/, "@kubernetes-models/cloudnative-pg"],
  [/\.toolkit\.fluxcd\.io$/, "@kubernetes-models/flux-cd"],
  [/^external-secrets\.io$/, "@kubernetes-models/external-secrets"],
  [/^monitoring\.coreos\.com$/, "@kubernetes-models/prometheus-operator"],
  [/^cilium\.io$/, "@kubernetes-models/cilium"],
  [/^(|apps|batch|coordination\.k8s\.io|policy|networking\.k8s\.io|rbac\.authorization\.k8s\.io)$/, "kubernetes-models"],
];

/** A validator: takes a value, returns its problems. */
async function validator(apiVersion, kind) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  if (group === "barmancloud.cnpg.io") {
    return ownSchema(`${kind.toLowerCase()}.schema.json`);
  }
  const [, name] = packages.find(([pattern]) => pattern.test(group)) ?? [];
  if (name === undefined) {
    return undefined;
  }
  const models = await load(name, group, version, `${kind}.js`).catch((error) => {
    if (error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  });
  return models && ((value) => compiled(models[kind], value));
}

/** A schema of ours, which says itself which fields it knows. */
async function ownSchema(file) {
  const { default: imported } = await load("ajv", "dist", "ajv.js");
  const Ajv = imported.default ?? imported;
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: true });
  const check = ajv.compile(JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8")));
  return (value) => (check(value) ? [] : check.errors.map(described));
}

function described({ instancePath, message, params, parentSchema, keyword }) {
  const why = keyword === "not" || keyword === "false schema" ? parentSchema?.description : undefined;
  return `${instancePath}: ${why ?? message} ${JSON.stringify(params)}`;
}

function compiled(model, value) {
  const watched = watch(value, "");
  try {
    model.prototype.validate.call(watched.proxy);
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    return error.errors.map(
      ({ instancePath, message, params }) => `${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  }
  return unknownFields(watched);
}

/** The value behind a proxy that remembers which of its properties were asked for. */
function watch(value, path) {
  const asked = new Set();
  const children = new Map();
  const proxy = new Proxy(value, {
    get(target, name) {
      const found = target[name];
      if (typeof name === "symbol") return found;
      asked.add(name);
      if (found === null || typeof found !== "object") return found;
      if (!children.has(name)) children.set(name, watch(found, `${path}/${name}`));
      return children.get(name).proxy;
    },
  });
  return { value, path, proxy, asked, children };
}

function unknownFields({ value, path, asked, children }) {
  const isOpen = asked.size === 0;
  const unknown =
    isOpen || Array.isArray(value) ? [] : Object.keys(value).filter((name) => !asked.has(name));
  return [
    ...unknown.map((name) => `${path}/${name}: unknown field`),
    ...[...children.values()].flatMap(unknownFields),
  ];
}

const validators = new Map();

async function problems(object) {
  const { apiVersion, kind } = object;
  const key = `${apiVersion} ${kind}`;
  if (!validators.has(key)) validators.set(key, await validator(apiVersion, kind));
  const validate = validators.get(key);
  return validate ? validate(object) : [`no schema for ${key}`];
}

const answers = [];
for (const object of JSON.parse(readFileSync(0, "utf8"))) answers.push(await problems(object));
process.stdout.write(JSON.stringify(answers));
