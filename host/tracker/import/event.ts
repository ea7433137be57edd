/** An event as a website sends it and `track_events` takes it. Nothing here is checked: bad events are traffic too. */
export interface TrafficEvent {
  /** Absolute http(s) address of what was viewed. */
  url: string;
  /** Device id. */
  uui: string;
  /** Time of the view, unix milliseconds; a string where it is not even a number. */
  dt: number | string;
}

/** An event and when it reaches us. Sources yield arrivals in ascending order of `arrivalMs`. */
export interface Arrival {
  /** Unix milliseconds; the `NOW` with which a simulation hands the event in. */
  arrivalMs: number;
  event: TrafficEvent;
}
