#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>

namespace attune {
namespace {

TEST(Json, KeepsTheOrderOfItsKeys) {
  Json json;
  json.set("b", 1).set("a", Json::List{true, Json(), "x"}).set("b", 2);
  EXPECT_EQ(json.dump(), "{\n  \"b\": 2,\n  \"a\": [\n    true,\n    null,\n    \"x\"\n  ]\n}");
}

TEST(Json, ReadsBackToTheSameText) {
  Json json;
  json.set("real", 0.1).set("whole", Index{1} << 62).set("text", "a \"b\"\n\u00fc");
  json.set("list", std::vector<double>{1e-300, 1}).set("null", Json());
  const std::string text = json.dump();
  EXPECT_EQ(Json::parse(text, "it").dump(), text);
  EXPECT_EQ(Json::parse(text, "it").find("real")->real(), 0.1);
  EXPECT_EQ(*Json::parse(text, "it").find("whole")->integer(), Index{1} << 62);
}

TEST(Json, HasNoNaN) {
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(-INFINITY).dump(), "null");
}

TEST(Json, BytesThatAreNoUtf8DoNotBreakTheDocument) {
  EXPECT_EQ(Json(std::string("a\xff")).dump(), "\"a\ufffd\"");
}

TEST(Json, FieldValuesKeepTheirTypes) {
  EXPECT_EQ(Json(FieldValue(Index{3})).dump(), "3");
  EXPECT_EQ(Json(FieldValue(3.0)).dump(), "3.0");
  EXPECT_EQ(Json(FieldValue(std::string("x"))).dump(), "\"x\"");
  EXPECT_TRUE(Json(FieldValue()).is_null());
  EXPECT_EQ(Json(FieldValue(std::vector<Index>{})).dump(), "[]");
}

TEST(Json, TextThatIsNoneIsDamageWithItsPlace) {
  try {
    Json::parse("{\"a\": 1", "run.meta.json");
    FAIL();
  } catch (const DamagedError& e) {
    EXPECT_STREQ(e.what(), "run.meta.json is no JSON from byte 8 on");
  }
}

}  // namespace
}  // namespace attune
