#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/shape.h"
#include "datasets/dataset_file.h"

// What imports of all kinds count and print.
namespace attune {

struct Spread {
  Index least = 0, median = 0, most = 0;
};
Spread spread_of(std::vector<Index> values);  // of one value at least
Json json_of(const Spread& spread);

// Examples of each class, the groups that they are of, and examples of each group.
struct Counts {
  std::vector<Index> of_class, groups_of_class, of_group;
};
Counts count(const ExampleColumns& columns);

// A row a class and one of all, with the number of `what`, "images", and of groups.
std::string label_table(const ExampleColumns& columns, const Counts& counts,
                        const std::string& what);
// The same as a list of {name, <what>, groups}.
Json label_json(const ExampleColumns& columns, const Counts& counts, const std::string& what);

// {min, median, max} of the groups' sizes, their count, and whether people gave them.
Json group_json(const Counts& counts, bool given);

// A table of spreads: its head, and a row of it.
std::string spread_head();
std::string spread_row(const std::string& name, const Spread& spread);

}  // namespace attune
