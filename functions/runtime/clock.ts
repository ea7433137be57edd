/** The one seam for time: unix milliseconds, from the caller's NOW or from the server; and numbers that follow the server's time. */

/** The server's time of the running call in microseconds, once it was asked for. */
let callMicros: number | undefined;

/** Forgets the time of the call before; called once at the start of each call. */
export function startClock(): void {
  callMicros = undefined;
}

/** The server's clock: unix microseconds, the same all through a call. Exact up to 2^53, which is in the year 2255. */
export function micros(): number {
  if (callMicros === undefined) {
    const time = redis.call("TIME");
    callMicros = tonumber(time[0])! * 1000000 + tonumber(time[1])!;
  }
  return callMicros;
}

/**
 * The clock of the call.
 *
 * @param given the value of the option NOW, in unix milliseconds
 */
export function clock(given: number | undefined): number {
  return given ?? Math.floor(micros() / 1000);
}

/**
 * The serial number after `last`: at least the server's clock in microseconds. So neither a database that was emptied nor a server
 * that came back from an older file gives a number again, as long as fewer than a million are given in a second.
 *
 * @param last the number that was given last; false if none was
 */
export function serialAfter(last: string | false): string {
  const now = micros();
  // Lua would print 14 digits.
  return string.format("%.0f", last === false ? now : Math.max(tonumber(last)! + 1, now));
}
