// The member's code moves: a new one every few seconds while the page is looked at. Without a network it says so.

const code = document.querySelector("#member-code");

async function renew() {
  if (document.visibilityState !== "visible") return;
  const answer = await fetch("/benefits").catch(() => null);
  const fresh = answer && answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#member-code");
  document.body.classList.toggle("offline", !fresh);
  code.style.opacity = fresh ? 1 : 0.2;
  if (!fresh) return;
  code.textContent = "";
  code.append(...fresh.childNodes);
}

setInterval(renew, Number(code.dataset.every));
document.addEventListener("visibilitychange", renew);
addEventListener("online", renew);
