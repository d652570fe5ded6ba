// Which routes of the gateway's table (gateway/routes.c) the Ingress lets customers reach.
import { readFileSync } from "node:fs";
import { named } from "./manifests.mjs";

const routes = readFileSync("gateway/routes.c", "utf8")
  .match(/\{HTTP_\w+, +(V1 )?"[^"]+"/g)
  .map((row) =>
    row
      .replace(/^.*, +V1 "/, "/api/v1")
      .replace(/^.*, +"/, "")
      .slice(0, -1),
  );

export const pathsOf = (objects) =>
  named(objects, "Ingress").flatMap(({ spec }) => spec.rules.flatMap(({ http }) => http.paths));

// Would a path of an Ingress lead there? One that is ImplementationSpecific may be either.
const leads = ({ path, pathType }, route) =>
  route === path || (pathType === "Prefix" && route.startsWith(path.replace(/\/?$/, "/")));

export const hiddenRoutes = (objects) =>
  [
    ...new Set(routes.filter((route) => !pathsOf(objects).some((path) => leads(path, route)))),
  ].sort();
