// Says each line of the standard input to somebody, and shows what is said: docs/protocol.rst in JavaScript.
//
// node line.mjs HOST PORT NAME [TO]
//
// Nothing is lost over any number of drops. Without TO it waits until somebody calls. The exit status is 0
// if all that was said arrived.

import { connect } from "node:net";
import { createInterface } from "node:readline";

const [host, port, name, to] = process.argv.slice(2);
const MOST_UNSETTLED = 100; // says without a status; the server keeps more than that
const PING_MS = 20_000;
const LONGEST_WAIT_MS = 10_000;

if (name === undefined) {
  console.error("node line.mjs HOST PORT NAME [TO]");
  process.exit(2);
}

let socket;
let isOurs = false; // whether the line is this connection's: before that nothing may be said on it
let key; // of the line, once there is one
let seen = 0; // the last seq
let pair; // the number of the pair, once there is one
let said = 0; // the last id
const unsettled = new Map(); // what was said, by id, of which no status has come
let failed = false;
let hasEnded = false; // the standard input
let wait = 100; // milliseconds before the next connection
let heard = true; // something since the last ping

const input = createInterface({ input: process.stdin });
input.pause();
input.on("line", (text) => {
  said += 1;
  unsettled.set(said, { do: "say", id: said, text, pair });
  send(unsettled.get(said));
  if (unsettled.size >= MOST_UNSETTLED) input.pause();
});
input.on("close", () => {
  hasEnded = true;
  leaveIfDone();
});

function write(command) {
  socket.write(`${JSON.stringify(command)}\n`);
}

function send(command) {
  if (isOurs) write(command);
}

function fail(why) {
  console.error(why);
  failed = true;
  if (!isOurs) process.exit(1);
  send({ do: "quit" }); // else the line would be held for a while, and nobody could have the name
}

function leaveIfDone() {
  if (hasEnded && unsettled.size === 0) send({ do: "quit" });
}

function settle({ id, status, why }) {
  for (const [earlier, { text }] of unsettled) {
    if (earlier > id) break; // a Map is in the order in which it was filled
    unsettled.delete(earlier);
    if (status === "failed") console.error(`It did not arrive (${why}): ${text}`);
    failed ||= status === "failed";
  }
  if (pair !== undefined && !hasEnded) input.resume();
  leaveIfDone();
}

const on = {
  mode: () => write(key === undefined ? { do: "name", name } : { do: "resume", key, seen }),
  named(event) {
    isOurs = true;
    key = event.key;
    if (to !== undefined) send({ do: "to", name: to });
  },
  resumed({ got }) {
    isOurs = true;
    wait = 100;
    for (const [id, say] of unsettled) if (id > got) send(say);
    leaveIfDone();
  },
  paired(event) {
    pair = event.pair;
    console.error(`You are chatting with ${event.peer}.`);
    if (!hasEnded) input.resume();
  },
  message: ({ from, text }) => console.log(`${from}: ${text}`),
  status: settle,
  left: ({ peer }) => fail(`${peer} is gone.`),
  quit: () => process.exit(failed ? 1 : 0),
  error({ of, code, text }) {
    const isEnd = ["name", "resume", "to", null].includes(of) && code !== "ringing";
    (isEnd ? fail : console.error)(text);
  },
};

function begin() {
  let rest = "";
  socket = connect(port, host, () => socket.write("Mode:json\n"));
  socket.setEncoding("utf8");
  socket.on("data", (data) => {
    heard = true;
    const lines = (rest + data).split("\r\n");
    rest = lines.pop();
    const before = seen;
    for (const event of lines.map((line) => JSON.parse(line))) {
      seen = event.seq ?? seen;
      on[event.event]?.(event);
    }
    if (seen > before) send({ do: "ack", seq: seen });
  });
  socket.on("error", () => {}); // "close" comes next
  socket.on("close", () => {
    isOurs = false;
    setTimeout(begin, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  });
}

setInterval(() => {
  if (!heard) socket.destroy();
  heard = false;
  send({ do: "ping" });
}, PING_MS);
begin();
