#include "storage/trial.h"

#include <algorithm>
#include <filesystem>

#include "base/hash.h"

namespace attune {
namespace {

constexpr std::size_t kLongestRow = 60, kHashDigits = 8;

std::string or_null(const std::optional<Index>& value) {
  return value ? std::to_string(*value) : "null";
}

std::string file_safe(std::string row) {
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._=,+-").find(c) != std::string_view::npos;
  };
  const std::string whole = row;
  for (char& c : row) c = safe(c) ? c : '_';
  if (row.starts_with('.')) row[0] = '_';  // no hidden file
  if (row.size() > kLongestRow) {
    row = row.substr(0, kLongestRow - kHashDigits - 1) + "-" + sha256(whole).substr(0, kHashDigits);
  }
  return row;
}

}  // namespace

std::vector<ConfigLeaf> Trial::recorded_config() const {
  std::vector<ConfigLeaf> recorded;
  for (const ConfigLeaf& leaf : config) {
    if (leaf.role != Role::result || leaf.key == "name" || leaf.key == "doc") continue;
    recorded.push_back(leaf);
    if (auto* path = std::get_if<std::string>(&recorded.back().value);
        path != nullptr && leaf.is_path) {
      *path = std::filesystem::path(*path).filename().string();
    }
  }
  return recorded;
}

std::string Trial::canonical_text() const {
  std::vector<ConfigLeaf> recorded = recorded_config();
  std::sort(recorded.begin(), recorded.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  std::string text = "attune.identity@1\n";
  const auto line = [&text](std::string_view key, std::string_view value) {
    text += fmt::format("{}={}\n", key, value);
  };
  for (const ConfigLeaf& leaf : recorded) line("config." + leaf.key, to_text(leaf.value));
  line("kind", kind);
  line("seed", std::to_string(seed));
  line("fold", or_null(fold));
  line("stop_step", or_null(stop_step));
  line("repeat", or_null(repeat));
  line("data_sha256", data_sha256);
  if (!init_sha256.empty()) line("init_sha256", init_sha256);
  return text;
}

std::string Trial::identity() const { return sha256(canonical_text()); }

std::string Trial::place() const {
  std::string place = fmt::format("{}-s{}", file_safe(row), seed);
  if (fold) place += fmt::format("-f{}", *fold);
  if (repeat) place += fmt::format("-r{}", *repeat);
  return place;
}

std::string Trial::stem() const {
  return fmt::format("{}-{}", place(), identity().substr(0, kHashDigits));
}

std::string place_in(const std::string& stem) { return stem.substr(0, stem.rfind('-')); }

}  // namespace attune
