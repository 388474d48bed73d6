#include "import/text_header.h"

#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "import/byte_source.h"

namespace attune {

namespace fs = std::filesystem;

std::string read_text_header(const std::string& path) {
  constexpr std::size_t kMost = std::size_t{1} << 16;
  std::string text(kMost, '\0');
  text.resize(ByteSource(path).read(text.data(), text.size()));
  return text;
}

std::optional<std::string_view> next_line(std::string_view text, std::size_t& at) {
  if (at >= text.size()) return std::nullopt;
  const std::size_t end = std::min(text.find('\n', at), text.size());
  std::string_view line = text.substr(at, end - at);
  if (line.ends_with('\r')) line.remove_suffix(1);
  at = std::min(end + 1, text.size());
  return line;
}

std::optional<std::vector<double>> numbers(std::string_view text) {
  std::vector<double> values;
  for (const std::string_view word : split(text, ' ')) {
    if (trim(word).empty()) continue;
    const std::string_view digits = trim(word);
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    values.push_back(value);
  }
  return values;
}

std::string data_file_beside(const std::string& header, std::string_view name) {
  const fs::path folder = fs::absolute(header).parent_path();
  const fs::path wanted{std::string(name)};
  std::error_code error;
  const fs::path found = fs::weakly_canonical(folder / wanted, error);
  const fs::path inside = fs::relative(found, fs::canonical(folder), error);
  ATTUNE_CHECK(!error && wanted.is_relative() && !inside.empty() && *inside.begin() != "..",
               DataError,
               "{} takes its pixels from {}, outside its own folder: put that file beside it",
               header, std::string(name));
  ATTUNE_CHECK(fs::is_regular_file(found, error), DataError,
               "{} takes its pixels from {}, which is not there", header, std::string(name));
  return found.string();
}

}  // namespace attune
