// A line to the server that outlives its connections, and the page if what it keeps is saved: it
// does what chatpair/client/line.py does, and docs/protocol.rst says why.

// Milliseconds: how often to look; until the next ping at most, and until a server that says nothing
// after one is given up, which is before it gives up the line; how long it may take to notice a loss.
const LOOK = 5_000, PING = 20_000, NOTICED = 90_000;
const MAX_LINE = 65_536; // bytes that a server takes, if it has no other limit
const NEEDS_TLS = "This needs TLS."; // the text instead of a question for the password
const ANSWERS = { to: "paired", bye: "free", block: "blocked", unblock: "unblocked" };
const SAYS = 256, SAY_BYTES = 65_536; // how much may be on its way at once

const bytes = (text) => new TextEncoder().encode(text).length;

export class Line {
  #address; #on; #socket = null; #state = "closed"; #hold = 0;
  #flowing = false; #acknowledged = 0; #flushing = false; #ended = true;
  #failures = 0; #retry = 0; #watch = 0; #ghostUntil = 0;
  #isHeard = false; #due = 0; #lookedAt = 0; // when an answer is due, and when that was looked at
  #asked = []; #isAsked = false; #quitting = false;
  #password = ""; #isProving = false; // kept nowhere else

  // What is kept is all that a new page needs to go on. The page is told by the functions of `on`:
  // link(up), event(event), settled(entry, status, why), answered(), refused(text, asksPassword),
  // note(text), forgotten(), ended(text) and save().
  constructor(address, kept, on) {
    this.#address = address;
    this.#on = on;
    this.kept = kept ?? { name: "", key: "", seen: 0, last: 0, peer: null, says: [] };
  }

  get waits() { return this.#asked.length > 0; }
  get hold() { return this.#hold; } // seconds for which the server keeps the line after a drop

  start(name = this.kept.name, password = this.#password) {
    if (this.#socket !== null) { // whose name would be in the way
      this.#send({ do: "quit" });
      this.#drop();
    }
    this.kept.name = name;
    this.#password = password;
    this.#ended = this.#quitting = false;
    this.#failures = 0;
    this.#connect();
  }

  // What the page asks for

  say(text, entry) {
    // Nobody else may get it.
    const { peer, pair } = this.kept;
    const say = { id: 0, text, ...(peer !== null && { to: peer, pair }), entry };
    if (bytes(JSON.stringify({ do: "say", ...say, id: 2 ** 53 })) > MAX_LINE) return false;
    this.kept.says.push(say);
    this.#pump();
    return true;
  }

  // These have no ids to tell their answers by: so one is on its way at a time.
  ask(command) {
    this.#asked.push(command);
    this.#pump();
  }

  typing() {
    if (this.#flowing) this.#send({ do: "typing" });
  }

  quit() {
    if (this.#state !== "open" || this.#quitting) this.#end("");
    this.#quitting = true;
    this.#send({ do: "quit" });
  }

  rest() {
    if (this.#socket !== null) this.#drop();
  }

  tryNow() {
    if (this.#ended) return;
    if (this.#socket === null) this.#connect();
    else this.#ping(LOOK); // it may only look alive
  }

  // Connecting

  #connect() {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#state = "closed";
    this.#expect(PING);
    this.#lookedAt = Date.now();
    const socket = this.#socket = new WebSocket(this.#address);
    socket.onmessage = ({ data }) => this.#heard(data);
    socket.onclose = () => this.#lost();
    this.#watch = setInterval(() => this.#look(), LOOK);
  }

  #look() {
    const now = Date.now(), isDue = now >= this.#due;
    const hasSlept = Math.abs(now - this.#lookedAt) > 2 * LOOK; // or the clock was set
    this.#lookedAt = now;
    if (isDue && !this.#isHeard) this.#drop();
    else if (hasSlept) this.#ping(LOOK);
    else if (isDue) this.#ping(Math.min(PING, LOOK + 250 * this.#hold));
  }

  #ping(patience) {
    this.#expect(patience);
    this.#send({ do: "ping" });
  }

  #expect(patience) {
    this.#isHeard = false;
    this.#due = Date.now() + patience;
  }

  #drop() { // and do not wait for an answer, which may take minutes
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#lost();
  }

  #lost() {
    clearInterval(this.#watch);
    const wasOpen = this.#state === "open";
    // The server may have got the name before the connection was lost, and hold it.
    if (this.#state === "name") this.#ghostUntil = Date.now() + NOTICED + 1000 * this.#hold;
    this.#socket = null;
    this.#state = "closed";
    this.#flowing = false;
    if (this.#ended) return;
    if (this.#quitting) {
      this.#end("");
      return;
    }
    if (wasOpen) this.#on.link(false);
    const delay = Math.min(100 * 2 ** ++this.#failures, 24_000) * (0.75 + Math.random() / 2);
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  #introduce(password) { // which is not said before the server asks
    const { key, seen, name } = this.kept;
    this.#state = key ? "key" : "name";
    this.#isProving = password !== undefined;
    this.#send(key ? { do: "resume", key, seen } : { do: "name", name, password });
  }

  #enter() {
    this.#state = "open";
    this.#failures = 0;
    this.#acknowledged = 0;
    this.#flushSoon();
    this.#on.link(true);
    this.#send({ do: "ping" }); // all that was missed comes before the answer
  }

  // Listening

  #heard(data) {
    this.#isHeard = true;
    let event;
    try {
      event = JSON.parse(data);
      if (typeof event?.event !== "string") return;
    } catch { // a server that lets nobody in says so in plain text
      this.#on.note(data);
      return;
    }
    if (event.event === "pong") {
      if (this.#state === "open" && !this.#flowing) this.#caughtUp();
    } else if (event.event === "mode") {
      this.#hold = event.hold;
      this.#introduce();
    } else if (this.#state === "open") {
      this.#told(event);
    } else {
      this.#answered(event);
    }
  }

  #caughtUp() {
    this.#flowing = true;
    this.#isAsked = false; // or the answer would be here
    this.#pump();
  }

  #answered(event) { // to a name or a key
    const { kept } = this;
    const { code, text } = event;
    if (event.event === "named") {
      Object.assign(kept, { name: event.name, key: event.key, seen: 0, last: 0 });
      this.#enter();
      this.#told(event);
    } else if (event.event === "resumed") {
      for (const say of kept.says) if (say.id > event.got) say.id = 0;
      kept.last = event.got;
      this.#enter();
    } else if (event.event === "error") {
      const isGhost = code === "reuse" && Date.now() < this.#ghostUntil;
      const hadKey = this.#state === "key";
      this.#state = "closed"; // the name is not on its way any more
      if (hadKey && code !== "try-later") {
        this.#forget();
      } else if (code === "try-later" || isGhost) {
        this.#on.note(text);
        this.#drop();
      } else if (code === "password") {
        this.#askedPassword(text);
      } else {
        this.#refused(code === "bad-name" ? `Bad name: ${text}` : text);
      }
    }
  }

  #askedPassword(text) {
    if (text === NEEDS_TLS || !isSecureContext) {
      this.#refused(NEEDS_TLS);
    } else if (this.#password && !this.#isProving) {
      this.#introduce(this.#password);
    } else {
      this.#refused(text, true);
    }
  }

  #refused(text, asksPassword = false) {
    this.#password = "";
    this.#end();
    this.#on.refused(text, asksPassword);
  }

  #forget() {
    const { kept } = this;
    this.#on.forgotten();
    Object.assign(kept, { key: "", seen: 0, last: 0, peer: null });
    this.#giveUp(() => true, "lost");
    this.#introduce();
  }

  #told(event) {
    const { kept } = this;
    if (event.seq) {
      if (event.seq <= kept.seen) return;
      kept.seen = event.seq;
      this.#flushSoon();
    }
    switch (event.event) {
      case "paired":
        if (kept.peer !== null) this.#giveUp((say) => !say.id, "switched");
        kept.peer = event.peer;
        kept.pair = event.pair;
        break;
      case "left": case "free":
        kept.peer = null;
        this.#giveUp((say) => !say.id, event.why ?? "bye");
        break;
      case "status":
        this.#settle((say) => say.id && say.id <= event.id, event.status, event.why);
        break;
      case "quit":
        this.#end("You have left.");
        return;
      case "error":
        if (event.of === null && event.code === "bad-key") {
          this.#end(event.text);
          return;
        }
    }
    // Two who call each other are a pair with the first call: the second needs no answer.
    if (event.code !== "already" || this.#isAsked) this.#on.event(event);
    this.#hear(event);
    this.#pump();
  }

  #hear({ event, of }) { // whether it is the answer to what was asked
    const asked = this.#isAsked && this.#asked[0].do;
    const answer = ANSWERS[asked] ?? asked;
    if (!asked || (event !== answer && !(event === "error" && of === asked))) return;
    this.#asked.shift();
    this.#isAsked = false;
    this.#on.answered();
  }

  #giveUp(which, why) { this.#settle(which, "failed", why); }

  #settle(which, status, why) {
    const settled = this.kept.says.filter(which);
    this.kept.says = this.kept.says.filter((say) => !settled.includes(say));
    for (const say of settled) this.#on.settled(say.entry, status, why);
  }

  // Sending

  #send(command) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  #pump() {
    this.#flushSoon();
    if (!this.#flowing) return;
    const { kept } = this;
    let count = 0, size = 0;
    for (const say of kept.says) {
      count += 1;
      size += bytes(say.text);
      if (count > 1 && (count > SAYS || size > SAY_BYTES)) break;
      if (say.id) continue;
      say.id = ++kept.last;
      const { id, text, to, pair } = say;
      this.#send({ do: "say", id, text, to, pair });
    }
    if (this.#asked.length && !this.#isAsked) {
      this.#isAsked = true;
      this.#send(this.#asked[0]);
    }
  }

  // Once for all that comes together; and what is acknowledged is saved before.
  #flushSoon() {
    if (this.#flushing) return;
    this.#flushing = true;
    setTimeout(() => {
      this.#flushing = false;
      if (this.#ended) return;
      this.#on.save();
      if (this.#state === "open" && this.kept.seen > this.#acknowledged) {
        this.#acknowledged = this.kept.seen;
        this.#send({ do: "ack", seq: this.kept.seen });
      }
    });
  }

  #end(why) {
    this.#ended = true;
    this.#asked = [];
    this.#isAsked = false;
    clearTimeout(this.#retry);
    if (this.#socket !== null) this.#drop();
    if (why !== undefined) this.#on.ended(why);
  }
}
