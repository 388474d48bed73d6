#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace attune {
namespace {

std::size_t width_of(int descriptor) {
  constexpr std::size_t kDefault = 80, kLeast = 40;
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return std::max<std::size_t>(size.ws_col, kLeast);
  const char* columns = std::getenv("COLUMNS");
  const long given = columns ? std::strtol(columns, nullptr, 10) : 0;
  return given > 0 ? std::max(static_cast<std::size_t>(given), kLeast) : kDefault;
}

Output stream_for(std::FILE* file, const std::string& color) {
  Output stream;
  stream.file = file;
  const char* kind = std::getenv("TERM");  // a dumb one cannot redraw a line
  const bool dumb = kind && std::string_view(kind) == "dumb";
  stream.terminal = isatty(fileno(file)) == 1 && !dumb;
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  const bool wanted = !(no_color && *no_color) && stream.terminal;
  stream.color = color == "always" || (color == "auto" && wanted);
  stream.width = width_of(fileno(file));
  return stream;
}

int lost_to = 0;  // the first error of a write to stdout

std::string painted(bool color, const char* code, std::string_view text) {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace

void Output::print(std::string_view text) const {
  errno = 0;
  const bool whole =
      std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
  if (!whole && file == stdout && lost_to == 0) lost_to = errno;
}

std::string output_failure() {
  if (lost_to == 0 || lost_to == EPIPE) return {};
  return fmt::format("the output could not be written: {}. Make room, or write it to another place",
                     std::strerror(lost_to));
}

std::string Output::bold(std::string_view text) const { return painted(color, "1", text); }
std::string Output::dim(std::string_view text) const { return painted(color, "2", text); }
std::string Output::red(std::string_view text) const { return painted(color, "31", text); }

Console Console::for_process(const Command& command) {
  const std::string color = command.text("color").value_or("auto");
  Console console;
  console.out = stream_for(stdout, color);
  console.err = stream_for(stderr, color);
  console.json = command.has("json");
  console.quiet = command.has("quiet");
  console.verbose = command.has("verbose");
  return console;
}

}  // namespace attune
