#include "base/fields.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <limits>
#include <map>

namespace attune {
namespace {

enum class Norm { pre, post };

struct Warmup {
  Index steps = 100;
  void fields(FieldList& f) { f.integer("steps", steps, {0, 1e6}, Role::result, "length"); }
};

struct Sgd {
  double momentum = 0.9;
  void fields(FieldList& f) { f.real("momentum", momentum, {0, 1}, Role::result, "inertia"); }
};
struct Adam {
  double beta = 0.99;
  void fields(FieldList& f) { f.real("beta", beta, {0, 1}, Role::result, "memory"); }
};

struct Config {
  double lr = 1e-3;
  std::optional<double> clip;
  Norm norm = Norm::post;
  std::vector<Index> seeds = {0, 1};
  Index threads = 2;
  std::optional<Warmup> warmup;
  std::string kind = "sgd";
  Sgd sgd;
  Adam adam;

  void fields(FieldList& f) {
    f.real("lr", lr, {1e-8, 1}, Role::result, "learning rate");
    f.real("clip", clip, {0, 100}, Role::result, "greatest norm");
    f.choice("norm", norm, {{"pre", Norm::pre}, {"post", Norm::post}}, Role::result, "place");
    f.integers("seeds", seeds, {0, 1e9}, Role::study, "seeds");
    f.integer("threads", threads, {1, 64}, Role::operation, "threads");
    f.optional_group("warmup", warmup, "slow start");
    f.variant("optim", kind,
              {FieldList::alternative("sgd", "plain", sgd),
               FieldList::alternative("adam", "adaptive", adam)},
              "optimiser");
    f.rule([this]() -> std::optional<Complaint> {
      if (norm == Norm::pre || lr < 0.1) return std::nullopt;
      return Complaint{"lr", "lr is too high for post-norm", "below 0.1", {"norm"}};
    });
  }
};

std::map<std::string, std::string> texts(const FieldList& list) {
  std::map<std::string, std::string> m;
  for (const ConfigLeaf& leaf : leaves(list)) m[leaf.key] = to_text(leaf.value);
  return m;
}

const Field& field(const FieldList& list, std::string_view name) {
  for (const auto& entry : list.entries()) {
    const auto* f = std::get_if<Field>(&entry);
    if (f && f->name == name) return *f;
  }
  throw std::out_of_range(std::string(name));
}

template <class T>
const T& entry(const FieldList& list, std::size_t i) {
  return std::get<T>(list.entries()[i]);
}

TEST(Fields, MemberInitialisersAreTheDefaults) {
  Config config;
  FieldList list;
  config.fields(list);
  EXPECT_THAT(texts(list), (std::map<std::string, std::string>{{"lr", "0.001"},
                                                               {"clip", "null"},
                                                               {"norm", "post"},
                                                               {"seeds", "[0, 1]"},
                                                               {"threads", "2"},
                                                               {"warmup", "null"},
                                                               {"optim.kind", "sgd"},
                                                               {"optim.momentum", "0.9"}}));
}

TEST(Fields, LeavesStandInDeclaredOrderWithTheirRoles) {
  Config config;
  FieldList list;
  config.fields(list);
  std::vector<std::string> keys;
  for (const ConfigLeaf& leaf : leaves(list, "train.")) keys.push_back(leaf.key);
  EXPECT_THAT(keys, ::testing::ElementsAre("train.lr", "train.clip", "train.norm", "train.seeds",
                                           "train.threads", "train.warmup", "train.optim.kind",
                                           "train.optim.momentum"));
  EXPECT_EQ(leaves(list)[0].role, Role::result);
  EXPECT_EQ(leaves(list)[3].role, Role::study);
  EXPECT_EQ(leaves(list)[4].role, Role::operation);
}

TEST(Fields, SettingAFieldSetsTheMember) {
  Config config;
  FieldList list;
  config.fields(list);
  EXPECT_EQ(field(list, "lr").set(0.25), "");
  EXPECT_EQ(config.lr, 0.25);
  EXPECT_EQ(field(list, "clip").set(1.5), "");
  EXPECT_EQ(config.clip, 1.5);
  EXPECT_EQ(field(list, "clip").set(std::monostate{}), "");
  EXPECT_EQ(config.clip, std::nullopt);
  EXPECT_EQ(field(list, "norm").set(std::string("pre")), "");
  EXPECT_EQ(config.norm, Norm::pre);
  EXPECT_EQ(std::get<std::string>(field(list, "norm").get()), "pre");
}

TEST(Fields, AWordThatIsNoChoiceIsRefusedAndChangesNothing) {
  Config config;
  FieldList list;
  config.fields(list);
  EXPECT_NE(field(list, "norm").set(std::string("sandwich")), "");
  EXPECT_EQ(config.norm, Norm::post);
  EXPECT_THAT(field(list, "norm").choices, ::testing::ElementsAre("pre", "post"));
}

TEST(Fields, AnOptionalGroupExistsOnceItIsSwitchedOn) {
  Config config;
  FieldList list;
  config.fields(list);
  const auto& group = entry<FieldGroup>(list, 5);
  EXPECT_FALSE(group.present());
  group.set_present(true);
  EXPECT_EQ(field(*group.fields, "steps").set(Index{7}), "");
  list.commit();
  ASSERT_TRUE(config.warmup.has_value());
  EXPECT_EQ(config.warmup->steps, 7);
  EXPECT_EQ(texts(list).at("warmup.steps"), "7");
  group.set_present(false);
  EXPECT_FALSE(config.warmup.has_value());
  EXPECT_EQ(texts(list).at("warmup"), "null");
}

TEST(Fields, AVariantShowsTheKeysOfItsKindAlone) {
  Config config;
  FieldList list;
  config.fields(list);
  const auto& variant = entry<FieldVariant>(list, 6);
  ASSERT_NE(variant.chosen(), nullptr);
  EXPECT_EQ(variant.chosen()->kind, "sgd");
  variant.set("adam");
  EXPECT_EQ(config.kind, "adam");
  EXPECT_EQ(texts(list).count("optim.momentum"), 0u);
  EXPECT_EQ(texts(list).at("optim.beta"), "0.99");
  variant.set("lion");
  EXPECT_EQ(variant.chosen(), nullptr);
}

TEST(Fields, ARequiredFieldSaysSo) {
  Config config;
  FieldList list;
  config.fields(list);
  EXPECT_FALSE(field(list, "lr").required);
  list.require("lr");
  EXPECT_TRUE(field(list, "lr").required);
}

TEST(Fields, ARuleSeesTheValuesInForce) {
  Config config;
  FieldList list;
  config.fields(list);
  ASSERT_EQ(list.rules().size(), 1u);
  EXPECT_FALSE(list.rules()[0]().has_value());
  config.lr = 0.5;
  const auto complaint = list.rules()[0]();
  ASSERT_TRUE(complaint.has_value());
  EXPECT_EQ(complaint->key, "lr");
  EXPECT_THAT(complaint->also, ::testing::ElementsAre("norm"));
}

// A real must stay a real for every YAML reader (PyYAML reads 1e-3 as text, 1 as an integer).
TEST(FieldText, RealsAreReadBackAsTheSameReal) {
  EXPECT_EQ(to_text(0.001), "0.001");
  EXPECT_EQ(to_text(1.0), "1.0");
  EXPECT_EQ(to_text(-0.0), "-0.0");
  EXPECT_EQ(to_text(1e-8), "1.0e-08");
  EXPECT_EQ(to_text(1e300), "1.0e+300");
  EXPECT_EQ(to_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(to_text(std::numeric_limits<double>::infinity()), ".inf");
  EXPECT_EQ(to_text(-std::numeric_limits<double>::infinity()), "-.inf");
  EXPECT_EQ(to_text(std::numeric_limits<double>::quiet_NaN()), ".nan");
  for (double x : {1.0 / 3, 6.02214076e23, 5e-324, 1.7976931348623157e308}) {
    EXPECT_EQ(std::strtod(to_text(x).c_str(), nullptr), x);
  }
}

TEST(FieldText, WordsThatYamlWouldReadAsSomethingElseAreQuoted) {
  EXPECT_EQ(to_text(std::string("softmax")), "softmax");
  EXPECT_EQ(to_text(std::string("data/ct.h5")), "data/ct.h5");
  for (const char* word : {"on", "no", "null", "true", "y", "12", "1e5", "", "a: b", "#x", "-"}) {
    EXPECT_EQ(to_text(std::string(word)), "\"" + std::string(word) + "\"");
  }
  EXPECT_EQ(to_text(std::string("a\"b\\c\nd")), R"("a\"b\\c\nd")");
}

TEST(FieldText, ListsAreFlowLists) {
  EXPECT_EQ(to_text(std::vector<Index>{}), "[]");
  EXPECT_EQ(to_text(std::vector<Index>{1, -2}), "[1, -2]");
  EXPECT_EQ(to_text(std::vector<double>{1, 0.5}), "[1.0, 0.5]");
  EXPECT_EQ(to_text(std::vector<std::string>{"a", "on"}), "[a, \"on\"]");
  EXPECT_EQ(to_text(true), "true");
  EXPECT_EQ(to_text(Index{3}), "3");
  EXPECT_EQ(to_text(FieldValue{}), "null");
}

// `share` is a result where it is used, and may grow where it is not.
struct Twofold {
  bool shared = true;
  std::optional<Index> share = 3;
  void fields(FieldList& f) {
    f.boolean("shared", shared, Role::result, "whether share counts");
    f.custom(
        "share", "a number", [](const Literal&) { return std::string(); },
        [this]() -> FieldValue { return share ? FieldValue(*share) : FieldValue(); }, Role::study,
        "how much");
    f.nullable("share");
    f.role("share", [this] { return shared ? Role::result : Role::study; });
  }
};

TEST(Fields, ARoleMayDependOnAnotherField) {
  Twofold options;
  FieldList list;
  options.fields(list);
  EXPECT_EQ(leaves(list)[1].role, Role::result);
  options.shared = false;
  EXPECT_EQ(leaves(list)[1].role, Role::study);
  EXPECT_THROW(list.nullable("shore"), std::logic_error);
}

}  // namespace
}  // namespace attune
