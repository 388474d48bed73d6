#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace attune {

// Where a program's text goes, and how it may look there.
struct Output {
  std::FILE* file = stdout;
  bool terminal = false;  // may be redrawn
  bool color = false;
  std::size_t width = 80;  // columns

  // As it is; flushes. What fails on stdout is kept for output_failure().
  void print(std::string_view text) const;
  std::string bold(std::string_view text) const;
  std::string dim(std::string_view text) const;
  std::string red(std::string_view text) const;
};

// What --color, NO_COLOR, -q and -v mean for a process: results on out, all else on err.
struct Console {
  Output out, err;
  bool json = false, quiet = false, verbose = false;

  // Colour: --color, else NO_COLOR, else whether the stream is a terminal. Width: the terminal's,
  // else COLUMNS, else 80; at least 40.
  static Console for_process(const Command& command);
};

// Why what was printed on stdout is not whole, in a sentence; empty when it is, and when a pipe's
// reader has gone, which is no fault.
std::string output_failure();

}  // namespace attune
