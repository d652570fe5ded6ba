import createClient from "openapi-fetch";
import type { paths } from "./baro.js";
const baro = createClient<paths>({ baseUrl: process.argv[2]! });
const reply = await baro.GET("/api/v1/products", { params: { query: { search: "티셔츠" } } });
console.log(reply.error?.detail ?? reply.data?.items.map(({ name, price }) => `${name} ${price}`));
