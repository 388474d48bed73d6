#include "house_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace attune::house {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// "framework/nn/mlp.cpp" → "nn", "experiments/train.cpp" → "experiments".
std::string room_of(const std::string& path) {
  const auto parts = fs::path(path);
  auto part = parts.begin();
  if (*part == "framework") ++part;
  return part->string();
}

// Which files may include which third-party headers.
struct ThirdParty {
  std::regex header, files;
};
const std::vector<ThirdParty>& third_party() {
  static const std::vector<ThirdParty> kTable = {
      {std::regex("fmt/.*|nlohmann/.*|openssl/.*|boost/crc\\.hpp"),
       std::regex("framework/base/.*")},
      {std::regex("(oneapi/)?tbb/.*"), std::regex("framework/kernels/parallel\\..*")},
      {std::regex("Eigen/.*"), std::regex("tests/.*")},
      {std::regex("benchmark/.*"), std::regex("tests/bench/.*")},
      {std::regex("H5.*|hdf5.*"), std::regex("framework/h5/.*")},
      {std::regex("yaml-cpp/.*"), std::regex("framework/config/.*")},
      {std::regex("boost/math/.*"), std::regex("framework/stats/.*")},
      {std::regex("boost/random/.*"), std::regex("framework/study/.*")},
      {std::regex("boost/program_options.*"), std::regex("framework/cli/.*")},
      {std::regex("itk.*|gdcm.*"), std::regex("framework/import/.*")},
  };
  return kTable;
}

// The C++ library has no dot and no slash; what Debian's libc, Linux and the compiler give is
// named.
bool is_system_header(const std::string& header) {
  static const std::regex kSystem(
      "[a-z_0-9]+|(sys|linux|sanitizer)/"
      "[a-z_]+\\.h|(unistd|fcntl|signal|spawn|dirent|poll|pthread|sched|dlfcn|cpuid|[a-z]*mmintrin|"
      "immintrin)\\.h");
  return std::regex_match(header, kSystem);
}

}  // namespace

std::vector<Source> sources(const std::string& root, const std::vector<std::string>& folders,
                            const std::vector<std::string>& endings) {
  std::vector<Source> found;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / folder)) {
      const std::string name = entry.path().string();
      const bool wanted = std::any_of(endings.begin(), endings.end(),
                                      [&name](const std::string& e) { return name.ends_with(e); });
      if (entry.is_regular_file() && wanted)
        found.push_back({fs::relative(entry.path(), root).string(), text_of(entry.path())});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return found;
}

Rooms rooms_of(const std::string& cmake_text) {
  Rooms rooms;
  static const std::regex kRoom("attune_room\\(([^)]*)\\)");
  for (std::sregex_iterator call(cmake_text.begin(), cmake_text.end(), kRoom), end; call != end;
       ++call) {
    std::istringstream words((*call)[1].str());
    std::string name, word;
    words >> name;
    std::set<std::string>& may = rooms[name];
    may.insert(name);
    bool uses = false;
    while (words >> word) {
      if (word == "USES" || word == "LIBRARIES" || word == "PUBLIC_LIBRARIES") {
        uses = word == "USES";
      } else if (uses) {
        const auto& of_used = rooms[word];  // declared from the ground up, so it is complete
        may.insert(of_used.begin(), of_used.end());
      }
    }
  }
  return rooms;
}

std::vector<std::string> include_violations(const Source& source, const Rooms& rooms) {
  std::vector<std::string> found;
  const std::string room = room_of(source.path);
  const auto may = rooms.find(room);
  if (may == rooms.end())
    return {fmt::format("{}: its room '{}' has no attune_room() call", source.path, room)};
  static const std::regex kInclude("\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"].*");
  int number = 0;
  for (const std::string& line : lines_of(source.text)) {
    ++number;
    std::smatch match;
    if (!std::regex_match(line, match, kInclude)) continue;
    const std::string header = match[2];
    const auto complain = [&](const std::string& what) {
      found.push_back(fmt::format("{}:{}: {}", source.path, number, what));
    };
    if (match[1] == "\"") {
      const std::string used = room_of(header);
      if (!may->second.contains(used))
        complain(fmt::format("room '{}' may not include \"{}\"", room, header));
      continue;
    }
    if (is_system_header(header)) continue;
    const auto rule =
        std::find_if(third_party().begin(), third_party().end(),
                     [&](const ThirdParty& t) { return std::regex_match(header, t.header); });
    if (rule == third_party().end()) {
      complain(fmt::format("<{}> is in no row of the table of libraries", header));
    } else if (!std::regex_match(source.path, rule->files)) {
      complain(fmt::format("<{}> is not allowed in this file", header));
    }
  }
  return found;
}

std::vector<std::string> length_violations(const Source& source) {
  const auto n = std::count(source.text.begin(), source.text.end(), '\n');
  if (n <= 500) return {};
  return {fmt::format("{}: {} lines, above 500", source.path, n)};
}

std::vector<std::string> fast_math_violations(const Source& source) {
  static const std::regex kFast(
      "-ffast-math|-Ofast|-funsafe-math|-fassociative-math|-ffinite-math|\"fast-math\"");
  if (!std::regex_search(source.text, kFast)) return {};
  return {fmt::format("{}: asks for fast-math", source.path)};
}

std::vector<std::string> page_violations(const Source& page, const std::string& root) {
  std::vector<std::string> found;
  static const std::regex kQuoted("`([^`]+)`");
  static const std::regex kPath("[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+\\.[a-z]+");
  static const std::regex kFunction("([A-Za-z0-9_:]+)\\(\\)");
  int number = 0;
  for (const std::string& line : lines_of(page.text)) {
    ++number;
    std::string text_of_files;
    std::vector<std::string> functions;
    for (std::sregex_iterator quoted(line.begin(), line.end(), kQuoted), end; quoted != end;
         ++quoted) {
      const std::string token = (*quoted)[1];
      std::smatch function;
      if (std::regex_match(token, kPath)) {
        if (fs::exists(fs::path(root) / token)) {
          text_of_files += text_of(fs::path(root) / token);
        } else {
          found.push_back(
              fmt::format("{}:{}: names {}, which does not exist", page.path, number, token));
        }
      } else if (std::regex_match(token, function, kFunction)) {
        functions.push_back(function[1]);
      }
    }
    for (const std::string& name : functions)
      if (!text_of_files.empty() && text_of_files.find(name + "(") == std::string::npos)
        found.push_back(fmt::format("{}:{}: names {}(), which is in no file of that line",
                                    page.path, number, name));
  }
  return found;
}

}  // namespace attune::house
