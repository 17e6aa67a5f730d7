// Keeps the parts of a page fresh that are marked `data-live="NAME"`, without a reload: on each message of the stream the
// same page is asked for again and those parts are exchanged. The server draws everything once, for both ways.
//
//   <main data-stream="/api/v1/events/ID/attendance/stream"> … <section data-live="numbers"> …
//   <main data-poll="5000"> for pages that the public leaves open: asked for again every so many milliseconds while seen.
//   <span class="live off" data-on="实时" data-off="离线，正在重新连接">13:42 的情况</span>

const main = document.querySelector("[data-stream], [data-poll]");

if (main) {
  const sign = document.querySelector(".live");
  const said = sign && (sign.dataset.on || sign.textContent);
  let asking = false;
  let again = false;

  const refresh = async () => {
    // At most one question at a time, and one more when something changed meanwhile.
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch (fault) {
      connected(false);
    }
    asking = false;
    if (again) {
      again = false;
      setTimeout(refresh, 250);
    }
  };

  const exchange = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const newer = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      // Whoever is typing or has a choice open in this part is not disturbed.
      if (!newer || part.contains(document.activeElement) && document.activeElement !== document.body) continue;
      for (const open of part.querySelectorAll("details[open][id]")) {
        const same = newer.querySelector(`#${open.id}`);
        if (same) same.setAttribute("open", "");
      }
      if (newer.innerHTML !== part.innerHTML) {
        part.textContent = "";
        part.append(...newer.childNodes);
      }
    }
  };

  const connected = (is) => {
    if (!sign) return;
    sign.classList.toggle("off", !is);
    sign.textContent = is ? said : sign.dataset.off;
  };

  if (main.dataset.poll) {
    setInterval(() => document.visibilityState === "visible" && refresh(), Number(main.dataset.poll));
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  } else {
    const stream = new EventSource(main.dataset.stream);
    stream.onopen = () => connected(true);
    stream.onerror = () => connected(false);
    stream.onmessage = refresh;
    stream.addEventListener("attendance", refresh);
  }
}
