/** The one seam for time: unix milliseconds, from the caller's NOW or from the server. */

/**
 * The clock of the call.
 *
 * @param given the value of the option NOW, in unix milliseconds
 */
export function clock(given: number | undefined): number {
  if (given !== undefined) return given;
  const time = redis.call("TIME");
  return tonumber(time[0])! * 1000 + Math.floor(tonumber(time[1])! / 1000);
}
