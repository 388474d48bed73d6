#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace attune {

// Process exit codes, the contract of `attune --help`; where several hold, cli picks the first of
// its own list.
enum class ExitCode : int {
  ok = 0,
  failure = 1,        // nothing finished, or storage failed
  usage = 2,          // bad command line, config or data: nothing started, nothing created
  some_failed = 3,    // some trials failed
  differs = 4,        // verify differs, or verdicts under --strict
  changed = 5,        // config or data is not what the study began with
  damaged = 6,        // stored files are damaged
  busy = 75,          // others hold every waiting trial (EX_TEMPFAIL)
  run_again = 85,     // checkpointed, run me again (ERESTART)
  interrupted = 130,  // Ctrl-C after a clean checkpoint
  terminated = 143,   // SIGTERM after a clean checkpoint
};

// What every error thrown by attune derives from: a whole sentence for people, a code for scripts.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// One type a cause, so that callers can tell them apart and each knows its exit code.
template <ExitCode kCode, class Tag>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& what) : Error(kCode, what) {}
};

using ConfigError = ErrorOf<ExitCode::usage, struct ConfigTag>;  // YAML, overrides, command line
using DataError = ErrorOf<ExitCode::usage, struct DataTag>;      // dataset files and images
using ShapeError = ErrorOf<ExitCode::failure, struct ShapeTag>;  // operands that do not fit
using NumericError = ErrorOf<ExitCode::failure, struct NumericTag>;  // NaN where none may be
using StorageError = ErrorOf<ExitCode::failure, struct StorageTag>;  // a write or read that failed
using ChangedError = ErrorOf<ExitCode::changed, struct ChangedTag>;
using DamagedError = ErrorOf<ExitCode::damaged, struct DamagedTag>;
using BusyError = ErrorOf<ExitCode::busy, struct BusyTag>;

// A clean stop on request: the checkpoint is written, the code says who asked.
class InterruptedError : public Error {
 public:
  using Error::Error;
};

}  // namespace attune

// Throws ERROR with the formatted text when CONDITION does not hold; the text is formatted only
// then.
#define ATTUNE_CHECK(condition, error, ...)  \
  do {                                       \
    if (!(condition)) [[unlikely]] {         \
      throw error(fmt::format(__VA_ARGS__)); \
    }                                        \
  } while (false)
