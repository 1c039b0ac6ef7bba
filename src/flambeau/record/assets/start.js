// Last: show the page.
"use strict";

setTheme();
dark.addEventListener("change", setTheme);
render();
if (DATA.kind === "run" && DATA.runs[0].status === "running") reloads(DATA.runs[0]);
// Everything is to be on paper, also what is folded on the screen.
addEventListener("beforeprint", () =>
  document.querySelectorAll("details").forEach((d) => {
    d.dataset.was = d.open;
    d.open = true;
  }),
);
addEventListener("afterprint", () =>
  document.querySelectorAll("details").forEach((d) => {
    d.open = d.dataset.was === "true";
  }),
);
// A place named in the address exists only now.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
