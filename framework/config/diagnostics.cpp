#include "config/diagnostics.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace attune {
namespace {

constexpr std::size_t kShownColumns = 100;  // of a source line
constexpr std::size_t kShownBefore = 60;    // columns of it left of the caret

// Nothing of a config reaches a terminal as a command to it.
std::string printable(std::string text) {
  for (char& c : text) {
    if (c == '\t') c = ' ';
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F) c = '?';
  }
  return text;
}

// Byte offset of the code point in column `column` (from 1), or the end of the line.
std::size_t byte_of_column(std::string_view line, std::size_t column) {
  std::size_t at = 0;
  for (std::size_t i = 1; i < column && at < line.size(); ++i) at += code_point_bytes(line, at);
  return at;
}

// The source line with a caret under its column; a long line is cut around the caret.
std::string excerpt(std::string line, const Origin& caret, const std::string& label) {
  line = printable(std::move(line));
  const auto column = static_cast<std::size_t>(std::max(caret.column, 1));
  std::size_t mark = byte_of_column(line, column);
  if (display_width(line) > kShownColumns) {
    const std::size_t first =
        byte_of_column(line, column > kShownBefore ? column - kShownBefore : 1);
    const std::string_view rest = std::string_view(line).substr(first);
    const std::string_view shown = rest.substr(0, byte_of_column(rest, kShownColumns + 1));
    const std::string before = first > 0 ? "…" : "", after = shown.size() < rest.size() ? "…" : "";
    mark = mark - first + before.size();
    line = before + std::string(shown) + after;
  }
  const std::string indent(display_width(std::string_view(line).substr(0, mark)), ' ');
  return fmt::format("{:>5} | {}\n      | {}^{}{}\n", caret.line, line, indent,
                     label.empty() ? "" : " ", label);
}

std::string placed(const Origin& at, std::string_view level, const std::string& message) {
  if (at.is_default()) return fmt::format("{}: {}\n", level, printable(message));
  return fmt::format("{}: {}: {}\n", printable(at.text()), level, printable(message));
}

}  // namespace

std::string Origin::text() const {
  if (!source) return "default";
  if (on_command_line() || line == 0) return source->name;
  return fmt::format("{}:{}:{}", source->name, line, column);
}

std::string Diagnostic::text(std::string_view level) const {
  std::string out = placed(at, level, message);
  const bool has_line = at.source && !at.on_command_line() && at.line > 0 &&
                        static_cast<std::size_t>(at.line) <= at.source->lines.size();
  if (has_line) {
    const bool same_line = caret.source == at.source && caret.line == at.line;
    out += excerpt(at.source->lines[static_cast<std::size_t>(at.line - 1)], same_line ? caret : at,
                   label);
  }
  for (const Remark& note : notes) out += "  " + placed(note.at, "note", note.message);
  for (const std::string& hint : hints) out += "  " + printable(hint) + "\n";
  return out;
}

std::vector<Diagnostic> Diagnostics::errors() const {
  std::vector<Diagnostic> sorted = errors_;
  const auto place = [](const Diagnostic& d) {
    return std::tuple(d.at.source ? d.at.source->order : -1, d.at.line, d.at.column);
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return place(a) < place(b); });
  return sorted;
}

std::string Diagnostics::text() const {
  std::string out;
  std::size_t shown = 0;
  for (const Diagnostic& d : errors()) {
    if (++shown > kShown) break;
    out += d.text("error");
  }
  if (errors_.size() > kShown) out += fmt::format("… and {} more\n", errors_.size() - kShown);
  return out + fmt::format("{} error{}, nothing was run.", errors_.size(),
                           errors_.size() == 1 ? "" : "s");
}

void Diagnostics::raise() const {
  if (!ok()) throw InvalidConfig(text(), errors());
}

}  // namespace attune
