// htm bound to Preact: markup as tagged templates, without a compiler.

import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
