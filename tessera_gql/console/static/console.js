// Keys and live updates. Every page works without this file, and nothing here sends an answer.
import { listen } from "./live.js";
import { bindKeys } from "./keys.js";

document.documentElement.dataset.js = "on";
bindKeys(document);
const address = document.body.dataset.live;
if (address) listen(address, document.getElementById("news"));
