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
  if (document.visibilityState === "visible") navigator.wakeLock?.request("screen").catch(() => {});
};
document.addEventListener("visibilitychange", stayAwake);
stayAwake();

const printer = document.querySelector("[data-print]");
if (printer) {
  printer.hidden = false;
  printer.addEventListener("click", () => print());
}
