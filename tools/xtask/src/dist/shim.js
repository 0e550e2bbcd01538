#!/usr/bin/env node
// Runs the ko of this platform, which a package of its own brings.
"use strict";

const path = require("path");

const { optionalDependencies } = require("../package.json");
const windows = process.platform === "win32";
const name = `@ko-build/ko-${process.platform}-${process.arch}`;

function locate() {
  try {
    const about = require.resolve(`${name}/package.json`);
    return path.join(path.dirname(about), "bin", windows ? "ko.exe" : "ko");
  } catch {
    const known = Object.keys(optionalDependencies);
    console.error(
      known.includes(name)
        ? `ko: the package ${name} is not installed: npm leaves it out with --omit=optional, ` +
            "with a node_modules of another platform, and where the C library is not the one it needs"
        : `ko: there is no package for ${process.platform} on ${process.arch}, only ${known.join(", ")}`,
    );
    process.exit(1);
  }
}

// Node runs beside ko, and ends as ko does.
function spawn(ko, words) {
  const child = require("child_process").spawn(ko, words, { stdio: "inherit" });
  // A terminal sends these to ko as well, and a second one ends ko at once. On
  // Windows, the console always does.
  const shared = windows || [0, 1, 2].some((fd) => require("tty").isatty(fd));
  for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"]) {
    const seen = shared && signal !== "SIGTERM";
    process.on(signal, () => seen || child.kill(signal));
  }
  child.on("error", (error) => {
    console.error(`ko: ${ko} does not start: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    // Where Node ignores the signal, the exit code says it, as in a shell.
    process.exitCode = 128 + require("os").constants.signals[signal];
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const ko = locate();
const words = process.argv.slice(2);
if (!windows && process.execve) {
  // From Node 22.15 on, ko takes the place of Node.
  try {
    process.execve(ko, [ko, ...words]);
  } catch {
    spawn(ko, words);
  }
} else {
  spawn(ko, words);
}
