// The API as the console uses it: tokens that renew themselves, an idempotency key for each intent, a
// retry that is safe because of it, and Server-Sent Events that resume.

const BASE = "api/v1";
const SESSION = "baro.session";

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? String(status));
    Object.assign(this, {
      status,
      code: body.code,
      retryable: body.retryable,
      errors: body.errors ?? [],
    });
  }
}

let session = JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
const listeners = new Set();
export const user = () => session?.user ?? null;
export const isAdmin = () => user()?.role === "ADMIN";
export const onSession = (listener) => listeners.add(listener);

function keepSession(next) {
  session = next;
  if (next) sessionStorage.setItem(SESSION, JSON.stringify(next));
  else sessionStorage.removeItem(SESSION);
  for (const listener of listeners) listener();
}

const language = () => document.documentElement.lang;

async function send(method, path, { body, key, headers = {}, signal } = {}) {
  return fetch(`${BASE}${path}`, {
    method,
    signal,
    headers: {
      "Accept-Language": language(),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(session ? { Authorization: `Bearer ${session.access_token}` } : {}),
      ...(key ? { "Idempotency-Key": key } : {}),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

// A refresh token may be used once: callers that need a new one at the same time share it.
let renewal = null;
function renew() {
  renewal ??= (async () => {
    const refresh_token = session?.refresh_token;
    const reply = refresh_token
      ? await send("POST", "/auth/refresh", { body: { refresh_token } })
      : null;
    keepSession(reply?.ok ? await reply.json() : null);
    renewal = null;
    return session !== null;
  })();
  return renewal;
}

async function sendAsUser(method, path, options) {
  const reply = await send(method, path, options);
  if (reply.status !== 401 || !session || path.startsWith("/auth/")) return reply;
  return (await renew()) ? send(method, path, options) : reply;
}

async function understood(reply) {
  const text = await reply.text();
  const body = text ? JSON.parse(text) : null;
  if (!reply.ok) throw new Problem(reply.status, body ?? {});
  return body;
}

export async function get(path) {
  return understood(await sendAsUser("GET", path));
}

// The titles of all problem codes, in the page's language: reasons that orders and payments keep.
let titles = { language: null, map: null };
export async function reasons() {
  if (titles.language !== language()) {
    const { items } = await get("/problems");
    titles = { language: language(), map: new Map(items.map(({ code, title }) => [code, title])) };
  }
  return titles.map;
}

// What changes something carries a key: a second try of the same intent gets the first one's answer.
export async function change(method, path, body, headers) {
  const options = { body, key: crypto.randomUUID(), headers };
  for (let tries = 3; ; tries--) {
    try {
      const reply = await sendAsUser(method, path, options);
      if (reply.status !== 503 || tries === 1) return await understood(reply);
    } catch (error) {
      if (error instanceof Problem || tries === 1) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300 * (4 - tries)));
  }
}
export const post = (path, body, headers) => change("POST", path, body, headers);

export async function signIn(path, body) {
  keepSession(null);
  keepSession(await understood(await send("POST", path, { body })));
}

export async function signOut() {
  await send("POST", "/auth/logout", {}).catch(() => {});
  keepSession(null);
}

// Follows a stream of events until it ends or `signal` is aborted, through as many connections as it
// takes. `tell({ id, event, data })` is called for each.
export async function follow(path, tell, signal) {
  let last = "";
  while (!signal.aborted) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const reply = await sendAsUser("GET", path, {
        headers: { Accept: "text/event-stream", ...headers },
        signal,
      });
      if (!reply.ok) return await understood(reply);
      let ended = false;
      for await (const event of eventsOf(reply.body)) {
        last = event.id || last;
        ended = tell(event) === "end" || ended;
      }
      if (ended) return null;
    } catch (error) {
      if (signal.aborted || error instanceof Problem) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return null;
}

async function* eventsOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
      const event = eventOf(rest.slice(0, end));
      if (event.data) yield event;
    }
  }
}

// "id: 7\ndata: {..}" as { id, event, data }.
function eventOf(text) {
  const event = { id: "", event: "message", data: "" };
  for (const line of text.split("\n")) {
    const [, name, value] = line.match(/^(\w*): ?(.*)$/) ?? [];
    if (name === "data") event.data += value;
    else if (name) event[name] = value;
  }
  return event;
}
