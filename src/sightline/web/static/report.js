import { keys } from "./shell.js";
keys({});
