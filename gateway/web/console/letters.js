// For admins: events that an outside sink did not take; each can be sent again.

import { get, post } from "./api.js";
import { busy, empty, h, notice, replace, table } from "./dom.js";
import { say, time } from "./words.js";

export async function deadLetters() {
  const list = h("div");

  async function replay(letter) {
    await post(`/admin/dead-letters/${letter.id}/replay`, {});
    notice(say("doneNow"), "good");
    await load();
  }

  const replayCell = (letter) =>
    letter.state === "DEAD"
      ? h("button", { type: "button", onclick: busy(() => replay(letter)) }, say("replay"))
      : say(letter.state);

  const letterTable = (items) =>
    table(
      [
        [say("when"), (letter) => time(letter.created_at)],
        [say("sink"), (letter) => letter.sink],
        [say("event"), (letter) => letter.kind],
        [say("orderNumber"), (letter) => String(letter.order_id)],
        [say("error"), (letter) => letter.error],
        [say("attempts"), (letter) => String(letter.attempts), "number"],
        ["", replayCell],
      ],
      items,
      say("deadLetters"),
    );

  async function load() {
    const { items } = await get("/admin/dead-letters?page_size=20");
    replace(list, items.length ? letterTable(items) : empty(say("noLetters")));
  }

  await load();
  return list;
}
