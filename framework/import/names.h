#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace attune {

// In order; by number when all of them are numbers.
std::vector<std::string> in_order(const std::set<std::string>& names);

// Names of groups as numbers that say nothing of the names: 31 bits of SHA-256. Two names never
// share one.
std::map<std::string, std::int32_t> group_numbers(const std::set<std::string>& names);

// Labels are kept in the file and printed, in one line each: DataError lists those that are no line
// of UTF-8 with `where` they stand, [label].
void require_lines(const std::map<std::string, std::string>& where);

// "\n  item" for each of them, up to a hundred.
std::string listed(const std::vector<std::string>& items);

}  // namespace attune
