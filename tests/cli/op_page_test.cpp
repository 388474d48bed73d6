// What is said of an op before it is applied.
#include "cli/op_page.h"

#include <gmock/gmock.h>

#include <set>

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Op& op_named(std::string_view name) {
  for (const Op* op : all_ops())
    if (op->name == name) return *op;
  throw std::logic_error("no such op");
}

// Every text under "name" in a list of the op's JSON.
std::set<std::string> names(const Json& json, std::string_view list) {
  std::set<std::string> found;
  for (const Json& item : *json.find(list)->list()) found.insert(*item.find("name")->text());
  return found;
}

const Json& item(const Json& json, std::string_view list, std::string_view name) {
  for (const Json& one : *json.find(list)->list())
    if (*one.find("name")->text() == name) return one;
  throw std::logic_error("no such item");
}

TEST(OpPage, ShowsOperandsOptionsAndTheLineOfMathematics) {
  const std::string page = op_page(op_named("gelu"));
  EXPECT_THAT(page, AllOf(HasSubstr("attune op gelu IN.h5 -o OUT.h5"), HasSubstr("y = x Φ(x)"),
                          HasSubstr("  x  any\n"), HasSubstr("(none | tanh, default none)")));
  EXPECT_THAT(op_page(op_named("linear")), HasSubstr("[d_out] (optional)"));
  EXPECT_THAT(op_page(op_named("mean_pool")), HasSubstr("[B+1] (if absent 0, n: one sequence)"));
}

// The option dropout of attention is flat, and what names its stream stands beside it.
TEST(OpJson, NamesTheOptionsThatTheCommandLineTakes) {
  const Json json = op_json(op_named("attention"));
  for (const char* name : {"n_heads", "n_kv_heads", "score", "scale", "pattern", "window", "select",
                           "k", "normaliser", "temperature", "dropout", "seed", "name", "step"})
    EXPECT_TRUE(names(json, "options").contains(name)) << name;
  EXPECT_EQ(names(op_json(op_named("dropout")), "options"),
            (std::set<std::string>{"p", "seed", "name", "step"}));
}

TEST(OpJson, GivesTypeDefaultRangeAndChoices) {
  const Json json = op_json(op_named("attention"));
  const Json& temperature = item(json, "options", "temperature");
  EXPECT_EQ(*temperature.find("type")->text(), "real");
  EXPECT_EQ(temperature.find("default")->real(), 1.0);
  EXPECT_EQ(*temperature.find("range")->text(), "1e-6..1000000");
  const Json& normaliser = item(json, "options", "normaliser");
  EXPECT_EQ(*normaliser.find("default")->text(), "softmax");
  EXPECT_EQ(normaliser.find("choices")->list()->size(), 3U);
  EXPECT_EQ(*item(json, "options", "n_heads").find("default")->integer(), 1);
}

TEST(OpJson, SaysWhichInputsMayBeLeftOut) {
  const Json json = op_json(op_named("attention"));
  EXPECT_FALSE(*item(json, "inputs", "q").find("optional")->boolean());
  EXPECT_TRUE(*item(json, "inputs", "bias").find("optional")->boolean());
  EXPECT_TRUE(*item(json, "indices", "q_offsets").find("optional")->boolean());
  EXPECT_EQ(*item(json, "indices", "example").find("if_absent")->text(), "0 … B−1");
  EXPECT_FALSE(*item(op_json(op_named("embedding")), "indices", "ids").find("optional")->boolean());
}

// What the command line takes has flat names: a nested group is more than one has to know of it.
TEST(OpJson, EveryOptionOfEveryOpHasAFlatName) {
  for (const Op* op : all_ops())
    for (const std::string& name : names(op_json(*op), "options"))
      EXPECT_EQ(name.find('.'), name.npos) << op->name << " " << name;
}

}  // namespace
}  // namespace attune
