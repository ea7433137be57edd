/**
 * The pace of Lua's garbage collector, which all functions of a server share.
 *
 * Every 50 calls Redis makes it do fifty steps (`luaGC` in script_lua.c), each of a length that goes with its step
 * multiplier, 200 % unless somebody sets it. For calls that leave a kilobyte behind, that is far more than keeps up with
 * them: an eighth of the time of a call that counts one event went into walking, over and over, what is still in use. At
 * 50 % the collector still ends each of its cycles, because it must look at no more than six or seven tenths of what was
 * allocated meanwhile; the heap then holds up to some five times what is in use (1.7 MB for the code of all libraries, up
 * to 4 MB for known addresses), where it held twice that.
 */

const STEP_PERCENT = 50;

/** Sets the pace; to be called once, when a library is built. */
export function slowCollector(): void {
  collectgarbage("setstepmul", STEP_PERCENT);
}
