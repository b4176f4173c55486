import { mount, httpStore } from "./explorer.js";

mount(document.getElementById("explorer"), httpStore(new URL("./", document.baseURI)), {
  home: "page",
});
