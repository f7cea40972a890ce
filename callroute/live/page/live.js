// The page of `callroute serve`. The server sends messages as server-sent events; the page sends small JSON requests.
// All text is inserted as text content, which the content security policy enforces.

const $ = id => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const STEP_PAUSE = calm ? 0 : 160; // milliseconds between two blocks that do not wait
const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ", 0: "+" };
const OUTCOMES = {
  abandoned_in_flow: "left in the menus", abandoned_in_queue: "left the queue",
  completed: "completed in the menus", answered: "answered by an agent",
};
const MAX_RECORDS = 5;

function element(tag, { text = "", ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...(text === "" ? [] : [String(text)]), ...children);
  return made;
}

function vector(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// --- Server ----------------------------------------------------------------------------------------------------------

let session = null;

async function post(path, body) {
  if (!session) return false;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Session": session.token },
      body: JSON.stringify(body),
    });
    return response.ok;
  } catch {
    return false;
  }
}

const source = new EventSource("events");
source.onmessage = ({ data }) => receive(JSON.parse(data));
source.onerror = () => {
  session = null;
  connection("off", "Not connected. Is callroute serve running?");
  if (call) endCall("The connection was lost");
};

function connection(kind, text) {
  $("connection").className = `pill ${kind}`;
  $("connection").textContent = text;
}

function receive(message) {
  switch (message.type) {
    case "session": return opened(message);
    case "call": return started(message);
    case "step": return steps.push(message), playSteps();
    case "stage": return reached(message.contact, message.stage);
    case "failed": return steps.push({ kind: "Failure", text: message.text, block: "" }), playSteps();
    case "record": return recorded(message);
    case "drop-off": return showDropOff(message);
    case "crowd": return crowdProgress(message);
    case "crowd-ended": return crowdEnded(message);
  }
}

function opened(message) {
  session = message;
  connection("on", `Stack ${message.stack} is running`);
  $("table-name").textContent = `DynamoDB ${message.table}`;
  $("crowd").textContent = `${message.crowd} callers`;
  const chosen = $("flow").value;
  $("flow").replaceChildren(...message.flows.map((flow, number) => element("option", { text: flow.name, value: number })));
  if (chosen && message.flows[chosen]) $("flow").value = chosen;
  $("call").disabled = $("crowd").disabled = !message.flows.length;
  if (message.flows.length) chooseFlow();
  else $("flow-description").textContent = "The stack has no flows. Add one to its configuration.";
}

// --- Call ------------------------------------------------------------------------------------------------------------

let call = null; // { contact, prompt, kind, started } during a call
const steps = [];
let playing = false;

async function dial() {
  $("transcript").replaceChildren();
  steps.length = 0;
  const flow = Number($("flow").value);
  call = { contact: "", prompt: 0, kind: "", started: Date.now() };
  unlockAudio();
  update("Calling …");
  if (!await post("call", { flow })) endCall("The call could not be placed");
}

function started(message) {
  if (!call) return;
  call.contact = message.contact;
  drawing.start();
  reached(message.contact, null);
  update("Connected");
}

async function playSteps() {
  if (playing) return;
  playing = true;
  while (steps.length) {
    show(steps.shift());
    if (STEP_PAUSE) await new Promise(resolve => setTimeout(resolve, STEP_PAUSE));
  }
  playing = false;
}

function show(step) {
  if (step.kind === "Failure") return say("problem", step.text), endCall("The call failed");
  if (!call) return;
  drawing.light(step.block);
  $("now").textContent = `${step.block}: ${step.label} – ${step.text}`;
  if (step.prompt) return playPrompt(step);
  switch (step.kind) {
    case "Pressed": case "KeyIgnored": case "KeyBuffered":
      stopPrompt();
      return say("pressed", step.text);
    case "InputStored": return stopPrompt(), say("pressed", step.text);
    case "TimedOut": return stopPrompt(), say("note", "… silence …");
    case "AttributesSet": return say("route", step.text);
    case "Queued": return call.kind = "queue", update("Waiting for an agent"), say("note", "In the queue. An agent answers in a few seconds, or hang up.");
    case "AgentConnected": return call.kind = "talk", update("Talking to an agent"), say("note", "An agent answers. Hang up to end the conversation.");
    case "ThirdPartyConnected": return call.kind = "talk", update("Connected to another number"), say("note", step.text);
    case "Waited": return call.kind = "pause", update("On hold"), say("note", `The flow waits for ${step.text}`);
    case "Ended": return ended(step);
  }
}

function ended(step) {
  say("note", step.text.replace(/ \([A-Z_]+\)$/, ""));
  reached(call.contact, "call");
  endCall("Call ended");
}

function endCall(text) {
  stopPrompt();
  call = null;
  drawing.stop();
  update(text);
}

function update(text) {
  $("status").textContent = text;
  $("call").textContent = call ? "Hang up" : "Call";
  $("call").classList.toggle("hang-up", Boolean(call));
  $("flow").disabled = Boolean(call);
  for (const button of $("keypad").children) button.disabled = !call;
  document.body.classList.toggle("live", Boolean(call));
  updateSkip();
}

function updateSkip() {
  const label = { playing: "Skip prompt", silent: "Stay silent", pause: "Skip wait" }[call?.kind];
  $("skip").disabled = !label;
  $("skip").textContent = label ?? "Skip prompt";
}

function say(kind, text) {
  const line = element("p", { text, className: kind });
  if (/[\u3040-\u30ff\u4e00-\u9fff]/.test(text)) line.lang = "ja";
  $("transcript").append(line);
  scrollDown();
  return line;
}

function scrollDown() {
  $("transcript").scrollTop = $("transcript").scrollHeight;
}

setInterval(() => {
  if (!call) return;
  const seconds = Math.floor((Date.now() - call.started) / 1000);
  $("timer").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}, 250);

// --- Prompts and voice -----------------------------------------------------------------------------------------------

let promptTimer = 0;

function playPrompt(step) {
  stopPrompt();
  const line = say("prompt", step.text);
  if (step.keys.length) line.append(element("span", { className: "keys", lang: "en", text: `Keys: ${step.keys.join(" ")}` }));
  scrollDown();
  Object.assign(call, { prompt: step.prompt, kind: "playing" });
  update(step.limit === null ? "Listening" : "Press a key");
  const finish = () => call?.prompt === step.prompt && call.kind === "playing" && played(step);
  call.finish = finish;
  const voice = $("speak").checked && voiceFor(line.lang || "en");
  if (voice) {
    const utterance = new SpeechSynthesisUtterance(step.text);
    Object.assign(utterance, { voice, lang: voice.lang, onend: finish, onerror: finish });
    call.utterance = utterance; // some browsers do not call onend if the utterance has been garbage-collected
    speechSynthesis.speak(utterance);
  }
  // Also ends the prompt if the browser does not report the end of the speech.
  promptTimer = setTimeout(finish, 1000 * step.speaking_seconds * (voice ? 2 : 1) + (voice ? 4000 : 0));
}

function played(step) {
  stopPrompt();
  post("action", { kind: "played", prompt: step.prompt });
  if (step.limit === null) return;
  call.kind = "silent";
  updateSkip();
  $("limit").animate([{ width: "100%" }, { width: "0" }], { duration: step.limit * 1000 });
}

function stopPrompt() {
  clearTimeout(promptTimer);
  globalThis.speechSynthesis?.cancel();
  for (const animation of $("limit").getAnimations()) animation.cancel();
  if (call) call.kind = "";
  updateSkip();
}

function voiceFor(language) {
  const voices = globalThis.speechSynthesis?.getVoices() ?? [];
  const found = voices.find(voice => voice.lang.toLowerCase().startsWith(language));
  $("voice-hint").hidden = Boolean(found);
  $("voice-hint").textContent = language === "ja"
    ? "This browser has no Japanese voice, so the prompts are shown as text."
    : "This browser has no English voice, so the prompts are shown as text.";
  return found;
}

let audio = null;
const TONES = { rows: [697, 770, 852, 941], columns: [1209, 1336, 1477] };

function unlockAudio() {
  if ($("speak").checked) audio ??= globalThis.AudioContext && new AudioContext();
}

function beep(position) {
  if (!audio || !$("speak").checked) return;
  const volume = new GainNode(audio, { gain: 0.06 });
  volume.connect(audio.destination);
  for (const frequency of [TONES.rows[Math.floor(position / 3)], TONES.columns[position % 3]]) {
    const tone = new OscillatorNode(audio, { frequency });
    tone.connect(volume);
    tone.start();
    tone.stop(audio.currentTime + 0.14);
  }
}

// --- Keys ------------------------------------------------------------------------------------------------------------

const KEYS = "123456789*0#";
const NAMES = { "*": "star", "#": "pound" };

for (const [position, key] of [...KEYS].entries()) {
  const button = element("button", { type: "button", text: key, disabled: true, onclick: () => press(key) },
    element("small", { text: LETTERS[key] ?? "", ariaHidden: "true" }));
  button.ariaLabel = NAMES[key] ?? key;
  button.dataset.key = key;
  button.dataset.position = position;
  $("keypad").append(button);
}

function press(key) {
  if (!call) return;
  const button = $("keypad").querySelector(`[data-key="${key}"]`);
  button.classList.add("down");
  setTimeout(() => button.classList.remove("down"), 150);
  beep(Number(button.dataset.position));
  if (["queue", "talk", "pause"].includes(call.kind) || !call.prompt) return;
  post("action", { kind: "key", prompt: call.prompt, key });
}

addEventListener("keydown", event => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("select, input")) return;
  if (KEYS.includes(event.key)) press(event.key);
});

$("call").onclick = () => call ? post("action", { kind: "hangup" }) : dial();
$("skip").onclick = () => call?.kind === "playing" ? call.finish() : call && post("action", { kind: "skip", prompt: call.prompt });
$("speak").onchange = () => $("speak").checked ? unlockAudio() : globalThis.speechSynthesis?.cancel();

// --- Drawing of the flow ---------------------------------------------------------------------------------------------

// The drawing has its own style sheet and identifiers, so it lives in a shadow tree.
const HIGHLIGHT = `
  :host { display: block }
  svg { display: block; width: 100%; height: 100%; cursor: grab; touch-action: pan-y }
  .visited > .block { stroke: #0b57d0; stroke-width: 3; fill: #eef4ff }
  .current > .block { stroke: #0b57d0; stroke-width: 7; fill: #cfe1ff; animation: light 1.1s infinite alternate }
  .count { transform: scale(var(--count-scale)); pointer-events: none }
  .count rect { fill: #b3203a; stroke: #fff; stroke-width: 2 }
  .count text { fill: #fff; font-size: 15px; font-weight: 700 }
  @keyframes light { to { fill: #e9f1ff } }
  @media (prefers-reduced-motion: reduce) { .current > .block { animation: none } }`;

const MARGIN = 100; // space for the counts on blocks at the edge
const position = block => block.getAttribute("transform").match(/-?[\d.]+/g).map(Number);

const drawing = {
  root: $("drawing").attachShadow({ mode: "open" }),
  svg: null, full: null, view: null, target: null, following: true, scale: 0.85, block: null,

  async load(number) {
    const request = new XMLHttpRequest();
    request.open("GET", `flows/${number}.svg`);
    request.responseType = "document";
    const loaded = new Promise(resolve => { request.onloadend = resolve; });
    request.send();
    await loaded;
    const svg = request.responseXML?.documentElement;
    if (!svg || Number($("flow").value) !== number) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(HIGHLIGHT);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    this.full = { x: -MARGIN, y: -MARGIN, width: width + 2 * MARGIN, height: height + 2 * MARGIN };
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    this.root.adoptedStyleSheets = [sheet];
    this.root.replaceChildren(document.importNode(svg, true));
    this.svg = this.root.firstChild;
    this.block = null;
    this.pan();
    this.view = null;
    this.showStart();
    this.showCounts();
  },

  // Shows on each block that sets a route how many callers left with this route.
  showCounts() {
    for (const old of this.root.querySelectorAll(".count")) old.remove();
    const flow = session?.flows[Number($("flow").value)];
    for (const stop of stops.filter(each => each.flow === flow?.name && lost(each))) {
      for (const block of this.blocks().filter(each => flow.routes[stop.route]?.includes(each.dataset.block))) {
        const text = String(lost(stop)), width = 16 + 10 * text.length;
        const count = vector("g", { class: "count", "data-route": stop.route },
          vector("rect", { x: -width / 2, y: -14, width, height: 28, rx: 14 }),
          vector("text", { y: 5, "text-anchor": "middle" }, text));
        const [x, y] = position(block), right = x + Number(block.querySelector(".block").getAttribute("width"));
        this.svg.append(vector("g", { transform: `translate(${right} ${y})` }, count));
      }
    }
  },

  blocks() { return this.svg ? [...this.svg.querySelectorAll("[data-block]")] : []; },

  start() {
    for (const block of this.blocks()) block.classList.remove("visited", "current");
  },

  stop() {
    for (const block of this.blocks()) {
      if (block.classList.contains("current")) block.classList.replace("current", "visited");
    }
  },

  light(identifier) {
    const block = this.blocks().find(each => each.dataset.block === identifier);
    if (!block) return;
    this.stop();
    block.classList.add("current");
    this.block = block;
    if (this.following) this.center(block);
  },

  showStart() {
    const first = this.blocks()[0];
    if (this.following && first) this.center(first, 0.2);
    else this.move(this.full);
  },

  size() {
    const { width, height } = $("drawing").getBoundingClientRect();
    return { width: width / this.scale, height: height / this.scale };
  },

  center(block, share = 0.42) {
    const [x, y] = position(block);
    const box = block.querySelector(".block");
    const { width, height } = this.size();
    const middle = y + Number(box.getAttribute("height")) / 2;
    this.move({ x: x + Number(box.getAttribute("width")) / 2 - width * share, y: middle - height / 2, width, height });
  },

  follow(following) {
    this.following = following;
    $("follow").ariaPressed = following;
    $("whole").ariaPressed = false;
    if (following && this.block) this.center(this.block);
    else if (following) this.showStart();
  },

  whole() {
    this.follow(false);
    $("whole").ariaPressed = true;
    this.move(this.full);
  },

  zoom(factor) {
    if (!this.view) return;
    $("whole").ariaPressed = false;
    this.scale = Math.min(2, Math.max(0.15, $("drawing").clientWidth / this.target.width * factor));
    if (this.following && this.block) return this.center(this.block);
    const { width, height } = this.size();
    const middle = { x: this.target.x + this.target.width / 2, y: this.target.y + this.target.height / 2 };
    this.move({ x: middle.x - width / 2, y: middle.y - height / 2, width, height });
  },

  move(target) {
    const from = this.view ?? target, began = performance.now();
    this.target = target;
    const frame = now => {
      if (this.target !== target) return;
      const share = calm || !this.view ? 1 : Math.min(1, (now - began) / 350), eased = 1 - (1 - share) ** 3;
      const between = name => from[name] + (target[name] - from[name]) * eased;
      this.view = { x: between("x"), y: between("y"), width: between("width"), height: between("height") };
      this.svg?.style.setProperty("--count-scale", Math.min(7, Math.max(1, 0.9 * this.view.width / $("drawing").clientWidth)));
      this.svg?.setAttribute("viewBox", `${this.view.x} ${this.view.y} ${this.view.width} ${this.view.height}`);
      if (share < 1) requestAnimationFrame(frame);
    };
    frame(began);
  },

  pan() {
    this.svg.onpointerdown = down => {
      const from = { ...this.view }, unit = this.view.width / $("drawing").clientWidth;
      this.follow(false);
      this.svg.setPointerCapture(down.pointerId);
      this.svg.onpointermove = moved => {
        this.view = { ...from, x: from.x - (moved.clientX - down.clientX) * unit, y: from.y - (moved.clientY - down.clientY) * unit };
        this.move(this.view);
      };
      this.svg.onpointerup = this.svg.onpointercancel = () => { this.svg.onpointermove = null; };
    };
  },
};

function chooseFlow() {
  const number = Number($("flow").value);
  $("flow-description").textContent = session?.flows[number]?.description ?? "";
  drawing.load(number);
}

$("flow").onchange = chooseFlow;
$("follow").onclick = () => drawing.follow(true);
$("whole").onclick = () => drawing.whole();
$("zoom-in").onclick = () => drawing.zoom(1.3);
$("zoom-out").onclick = () => drawing.zoom(1 / 1.3);

// --- Records ---------------------------------------------------------------------------------------------------------

const STAGES = ["call", "stream", "pipe", "state-machine", "table"];
let shown = { contact: "", stage: -1 };

function reached(contact, stage, failed = false) {
  const number = STAGES.indexOf(stage);
  if (contact === shown.contact && number <= shown.stage && !failed) return;
  shown = { contact, stage: number };
  for (const [position, item] of [...$("chain").children].entries()) {
    item.classList.toggle("done", position <= number && !(failed && position === number));
    item.classList.toggle("failed", failed && position === number);
  }
}

function recorded({ contact, outcome, reason, item }) {
  const stored = outcome === "stored" && item;
  reached(contact, stored ? "table" : outcome === "filtered" || outcome === "dead_lettered" ? "pipe" : "state-machine", !stored);
  const card = stored ? itemCard(item) : element("article", { className: "item" },
    element("h3", { text: "No record" }), element("p", { text: notStored(outcome, reason) }));
  card.dataset.contact = contact;
  const earlier = [...$("records").querySelectorAll(".item")];
  const same = earlier.find(each => each.dataset.contact === contact);
  $("records").querySelector(".empty")?.remove();
  if (same) same.replaceWith(card);
  else $("records").prepend(card);
  for (const old of [...$("records").children].slice(MAX_RECORDS)) old.remove();
}

function notStored(outcome, reason) {
  switch (outcome) {
    case "filtered": return `The pipe's filter dropped the contact record: ${reason}.`;
    case "expired": return "The record is older than the retention, so it was not written.";
    case "quarantined": return "The state machine could not store the record. It is in the quarantine queue.";
    default: return "The state machine kept failing. The record's position is in the dead-letter queue.";
  }
}

function itemCard(item) {
  const { call_route, outcome, ...others } = item;
  return element("article", { className: "item" },
    element("h3", {},
      element("span", { text: `call_route = ${call_route}` }),
      element("span", { text: outcome.replaceAll("_", " "), className: `badge ${outcome}` })),
    element("dl", {}, ...Object.entries(others).map(([name, value]) => element("div", {},
      element("dt", { text: name }),
      element("dd", { text: typeof value === "object" ? JSON.stringify(value) : value })))));
}

// --- Drop-off --------------------------------------------------------------------------------------------------------

const percent = (part, whole) => whole ? `${Math.round(100 * part / whole)}%` : "";

let stops = [];
const lost = stop => stop.outcomes.abandoned_in_flow + stop.outcomes.abandoned_in_queue;

function showDropOff({ calls, outcomes, stops: counted }) {
  stops = counted;
  drawing.showCounts();
  const figure = (name, label, count, share) => element("div", { className: name },
    element("dt", { text: label }),
    element("dd", { text: count.toLocaleString("en") }, element("small", { text: share })));
  $("figures").replaceChildren(
    figure("calls", calls === 1 ? "call" : "calls", calls, ""),
    ...Object.entries(OUTCOMES).map(([name, label]) => figure(name, label, outcomes[name], percent(outcomes[name], calls))));
  $("no-calls").hidden = calls > 0;
  const longest = Math.max(1, ...stops.map(stop => stop.calls));
  const flows = [...new Set(stops.map(stop => stop.flow))];
  $("stops").replaceChildren(...flows.flatMap(flow => [
    element("h3", { text: flow || "Other calls" }),
    element("ul", {}, ...stops.filter(stop => stop.flow === flow).map(stop => stopRow(stop, longest)))]));
}

function stopRow(stop, longest) {
  const bar = element("span", { className: "bar", ariaHidden: "true" });
  for (const name of Object.keys(OUTCOMES)) {
    if (!stop.outcomes[name]) continue;
    const part = element("i", { className: name, title: `${stop.outcomes[name]} ${OUTCOMES[name]}` });
    part.style.width = `${100 * stop.outcomes[name] / longest}%`;
    bar.append(part);
  }
  return element("li", { className: stop.calls ? "stop" : "stop empty-stop" },
    element("span", { text: stop.label, className: `label depth-${Math.min(stop.depth, 3)}`, title: stop.route }),
    bar,
    element("span", { className: "count left", text: lost(stop) ? `${lost(stop)} left` : "" }),
    element("span", { className: "count", text: stop.calls === 1 ? "1 call" : `${stop.calls} calls` }));
}

$("crowd").onclick = async () => {
  $("crowd").disabled = true;
  if (!await post("crowd", { flow: Number($("flow").value) })) {
    $("crowd").disabled = false;
    $("crowd-status").textContent = "The callers could not be started.";
  }
};

function crowdProgress({ flow, placed, of }) {
  $("crowd").disabled = true;
  $("crowd-status").textContent = `${placed} of ${of} simulated callers have called ${flow} …`;
}

function crowdEnded({ flow, problem }) {
  $("crowd").disabled = false;
  $("crowd-status").textContent = problem || `All simulated callers have called ${flow}.`;
}

say("note", "Press Call. You can also use your keyboard.");
update("Ready");
