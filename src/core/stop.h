#pragma once

namespace conclave {

// SIGINT and SIGTERM ask the process to finish its step, checkpoint and leave. A second signal ends it at once.
void install_stop_signals();

// Asks for the same from inside the process (a supervisor that can't go on). Thread-safe.
void request_stop();

// True once a signal came or request_stop() was called. Lock-free; long loops and waits look at it at least every 200
// ms.
bool stop_requested();

}  // namespace conclave
