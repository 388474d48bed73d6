#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace attune::house {

// A file of the tree: path from the root, and its text.
struct Source {
  std::string path, text;
};

// Every file under root/FOLDER with one of the ENDINGS, sorted by path.
std::vector<Source> sources(const std::string& root, const std::vector<std::string>& folders,
                            const std::vector<std::string>& endings);

// room → rooms it may include, itself and what these use in turn included; read from the
// attune_room(NAME USES …) calls.
using Rooms = std::map<std::string, std::set<std::string>>;
Rooms rooms_of(const std::string& cmake_text);

// "framework/nn/mlp.cpp:7: …" for each #include against the direction of the rooms, of an unknown
// room, or of a third-party header outside the files that may have it.
std::vector<std::string> include_violations(const Source& source, const Rooms& rooms);

// More than 500 lines.
std::vector<std::string> length_violations(const Source& source);

// What the numbers' contract forbids: fast-math, in flags or in source.
std::vector<std::string> fast_math_violations(const Source& source);

// In a page, every `path/name.ext` in backquotes must exist, and on a line that names files every
// `name()` must occur in one of them.
std::vector<std::string> page_violations(const Source& page, const std::string& root);

}  // namespace attune::house
