// Gives code of functions/ the globals that it has inside Redis, so that its pure parts run under Node as well.
import "../../scripts/lua-globals";
