/** `npm run deploy-functions`: builds if need be, then runs `hotpath deploy`; takes what that takes. */
import { runHotpath } from "./run-hotpath";

runHotpath("deploy");
