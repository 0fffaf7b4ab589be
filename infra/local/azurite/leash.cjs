// Ends Azurite, saving what it holds, when the process that started it is gone: the pipe on its standard input closes.
"use strict";
process.stdin.on("error", () => process.emit("SIGTERM"));
process.stdin.on("end", () => process.emit("SIGTERM"));
process.stdin.resume();
process.stdin.unref();
