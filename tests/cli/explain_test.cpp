#include "cli/explain.h"

#include <gmock/gmock.h>

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A small study: a model of two kinds, and a key that only one kind of study has.
struct Vit {
  Index n_heads = 4;
  void fields(FieldList& f) {
    f.integer("n_heads", n_heads, {1, 64}, Role::result, "heads of an attention");
  }
};
struct Mlp {
  Index d_hidden = 32;
  void fields(FieldList& f) {
    f.integer("d_hidden", d_hidden, {1, 4096}, Role::result, "hidden units");
  }
};
struct Root {
  explicit Root(bool with_training) : trains(with_training) {}
  bool trains;
  std::string model = "vit";
  Vit vit;
  Mlp mlp;
  double lr = 1e-3;
  std::optional<std::string> init_from;

  void fields(FieldList& f) {
    f.variant("model", model,
              {FieldList::alternative("vit", "vision transformer", vit),
               FieldList::alternative("mlp", "perceptron", mlp)},
              "what is trained");
    if (!trains) return;
    f.real("lr", lr, {1e-8, 1}, Role::result, "learning rate");
    f.path("init_from", init_from, Role::operation, "a file with /weights");
  }
};

std::vector<KindKeys> kinds() {
  Root trains(true), measures(false);
  FieldList a, b;
  trains.fields(a);
  measures.fields(b);
  return {{"train", KeyIndex(a)}, {"measure", KeyIndex(b)}};
}

TEST(Explain, AKeyHasTypeRangeDefaultMeaningAndTheKindsItBelongsTo) {
  const std::string text = explain_text(kinds(), "model.n_heads", 80);
  EXPECT_THAT(text, AllOf(HasSubstr("model.n_heads  (int, 1..64, default 4)\n"),
                          HasSubstr("heads of an attention"),
                          HasSubstr("belongs to  model.kind=vit\n"), HasSubstr("result:")));
}

TEST(Explain, AKeyOfOneKindOfStudySaysSo) {
  EXPECT_THAT(explain_text(kinds(), "lr", 80),
              AllOf(HasSubstr("belongs to  kind=train"), HasSubstr("default 0.001")));
  EXPECT_THAT(explain_text(kinds(), "model.d_hidden", 80), Not(HasSubstr("kind=train")));
}

TEST(Explain, AGroupListsItsKeysAndNothingListsTheTop) {
  EXPECT_THAT(
      explain_text(kinds(), "model", 80),
      AllOf(HasSubstr("model.n_heads"), HasSubstr("model.d_hidden"), HasSubstr("model.kind")));
  EXPECT_THAT(explain_text(kinds(), "", 80),
              AllOf(HasSubstr("model "), HasSubstr("lr "), Not(HasSubstr("n_heads"))));
}

TEST(Explain, TheKeysThatComposeAFileAreKnown) {
  EXPECT_THAT(explain_text(kinds(), "schema", 80), HasSubstr("attune/experiment@1, must be set"));
  EXPECT_THAT(explain_text(kinds(), "defaults", 80), HasSubstr("group files"));
  EXPECT_THAT(explain_text(kinds(), "", 80), AllOf(HasSubstr("schema "), HasSubstr("defaults ")));
}

TEST(Explain, AnUnknownKeyIsAnErrorWithASuggestion) {
  try {
    explain_text(kinds(), "model.n_head", 80);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("unknown key 'model.n_head'"),
                                HasSubstr("did you mean 'model.n_heads'?")));
  }
}

TEST(Explain, JsonHasTheSameFacts) {
  const Json json = explain_json(kinds(), "model.n_heads");
  ASSERT_EQ(json.list()->size(), 1U);
  const Json& key = json.list()->front();
  EXPECT_EQ(*key.find("key")->text(), "model.n_heads");
  EXPECT_EQ(*key.find("default")->text(), "4");
  EXPECT_EQ(*key.find("role")->text(), "result");
  EXPECT_EQ(*key.find("belongs_to")->list()->front().text(), "model.kind=vit");
}

}  // namespace
}  // namespace attune
