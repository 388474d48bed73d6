#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace attune {

// A text that config values come from: a file, the command line, the YAML inside a run file.
struct Source {
  enum class Kind { file, command_line };
  Kind kind = Kind::file;
  std::string name;                // as messages show it: "configs/needle.yaml", "command line"
  std::string folder;              // absolute; what relative paths in it are relative to
  std::vector<std::string> lines;  // of a command line: its arguments
  int order = 0;                   // messages come in this order; the command line is last
  int layer = 0;                   // of the composition; a later one wins
};

// Where a value was written. Line and column count from 1, the column in code points; line 0 is the
// source as a whole. On the command line the line is the argument's number. No source: a default of
// the struct.
struct Origin {
  std::shared_ptr<const Source> source;
  int line = 0;
  int column = 0;

  // The source as a whole.
  static Origin of(std::shared_ptr<const Source> source) { return {std::move(source), 0, 0}; }
  bool is_default() const { return source == nullptr; }
  bool on_command_line() const { return source && source->kind == Source::Kind::command_line; }
  std::string text() const;  // "configs/model/tiny.yaml:3:3", "command line", "default"
};

struct Remark {
  Origin at;  // a default: stands without a place
  std::string message;
};

// One thing to tell: where, what, notes at other places, what to try.
struct Diagnostic {
  Origin at = {};
  std::string message;
  Origin caret = {};       // what the caret points at, on the line of `at`; none: `at` itself
  std::string label = {};  // beside the caret: "set here"
  std::vector<Remark> notes = {};
  std::vector<std::string> hints = {};

  // The form of docs' "Errors, all at once": place, source line and caret, notes, hints; ends in a
  // newline.
  std::string text(std::string_view level) const;
};

// Collects what is wrong with a config, so that all of it is told at once.
class Diagnostics {
 public:
  void error(Diagnostic d) { errors_.push_back(std::move(d)); }
  // Worth telling, but no error: keys dropped with a `kind`.
  void note(Diagnostic d) { notes_.push_back(std::move(d)); }

  // More errors than this are counted, not shown.
  static constexpr std::size_t kShown = 100;

  bool ok() const { return errors_.empty(); }
  std::size_t count() const { return errors_.size(); }
  // In the order of files, lines and columns; the command line comes last.
  std::vector<Diagnostic> errors() const;
  const std::vector<Diagnostic>& notes() const { return notes_; }

  // All errors, then "2 errors, nothing was run."
  std::string text() const;
  // Throws InvalidConfig with that text when there is an error.
  void raise() const;

 private:
  std::vector<Diagnostic> errors_, notes_;
};

// Several errors in one: the whole block as its text, and the list for --json.
template <class Base>
class Several : public Base {
 public:
  Several(const std::string& text, std::vector<Diagnostic> errors)
      : Base(text), errors_(std::move(errors)) {}
  const std::vector<Diagnostic>& errors() const { return errors_; }

 private:
  std::vector<Diagnostic> errors_;
};

using InvalidConfig = Several<ConfigError>;  // what Diagnostics::raise throws
using DamagedFiles = Several<DamagedError>;

}  // namespace attune
