/** `npm run demo`: builds if need be, then runs `hotpath demo`; takes what that takes. */
import { runHotpath } from "./run-hotpath";

runHotpath("demo");
