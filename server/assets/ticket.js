// Keeps an opened ticket for the day without a network, says so when there is none, and keeps the screen awake.

const offline = () => document.body.classList.toggle("offline", !navigator.onLine);
addEventListener("online", offline);
addEventListener("offline", offline);
offline();

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").then(async () => {
    const { active } = await navigator.serviceWorker.ready;
    const parts = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], .brand img")];
    active.postMessage({ keep: [location.pathname, "/assets/icons.svg", ...parts.map((part) => part.href || part.src)] });
  }).catch(() => { /* Without a service worker the picture can still be saved. */ });
}

// A dimming screen is the commonest reason for a code that does not scan.
const stayAwake = () => {
  if (document.visibilityState === "visible" && navigator.wakeLock) navigator.wakeLock.request("screen").catch(() => {});
};
document.addEventListener("visibilitychange", stayAwake);
stayAwake();

const printer = document.querySelector("[data-print]");
if (printer) {
  printer.hidden = false;
  printer.addEventListener("click", () => print());
}

// The saved picture bears what the ticket says, so that it is known again among a thousand others. Drawn from what is on
// the page, so it needs no network; without this the link gives the bare code.
const saver = document.querySelector("a[download]");
if (saver) saver.addEventListener("click", async (event) => {
  event.preventDefault();
  const here = document.createElement("a");
  here.download = saver.download;
  here.href = await picture().catch(() => saver.href);
  here.click();
});

async function picture() {
  const WIDTH = 720, EDGE = 48, CODE = 560;
  const ticket = document.querySelector(".ticket");
  const text = (element) => element.textContent.trim().replace(/\s+/g, " ");
  const facts = [...ticket.querySelectorAll(".facts dd")].map((fact) => text(fact.firstChild).trim() || text(fact));
  const lines = [
    [text(ticket.querySelector("h1")), 40, "bold"], [text(ticket.querySelector("header p")), 28, ""], null,
    [[...ticket.querySelectorAll(".qr .digits span")].map(text).join(" "), 30, "bold"],
    [text(ticket.querySelector(".holder b")), 40, "bold"],
    ...[...ticket.querySelectorAll(".still p")].map((said) => [text(said), 28, ""]), ...facts.map((fact) => [fact, 28, ""]),
  ];
  const code = new Image();
  code.src = `data:image/svg+xml,${encodeURIComponent(ticket.querySelector(".qr svg").outerHTML)}`;
  await code.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: 2000 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, WIDTH, canvas.height);
  pen.fillStyle = "#000";
  pen.textAlign = "center";
  let y = EDGE;
  for (const line of lines) {
    if (!line) {
      pen.drawImage(code, (WIDTH - CODE) / 2, y, CODE, CODE);
      y += CODE;
      continue;
    }
    const [words, size, weight] = line;
    pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
    let row = "";
    for (const letter of [...words, ""]) {
      if (letter && pen.measureText(row + letter).width <= WIDTH - 2 * EDGE) row += letter;
      else { y += size * 1.5; pen.fillText(row, WIDTH / 2, y - size * .4); row = letter; }
    }
  }
  const whole = pen.getImageData(0, 0, WIDTH, Math.ceil(y) + EDGE);
  canvas.height = whole.height;
  pen.putImageData(whole, 0, 0);
  return canvas.toDataURL("image/png");
}
