/** Units of time under short names: tests are full of them. */
export { DAY_MS as DAY, HOUR_MS as HOUR, MINUTE_MS as MINUTE, SECOND_MS as SECOND } from "../../host/runtime/time";
