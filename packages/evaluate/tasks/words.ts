import type { Random } from '../random.ts';

const adjectives = (
  'agile amber ancient arid azure bashful bitter blunt bold brave breezy bright brisk broad bronze calm careful cheerful ' +
  'chilly clever cloudy coarse crimson crisp curious curly daring deep dizzy dusty eager early earnest elastic elegant ' +
  'faint famous fancy fierce flat fluffy foggy frosty gentle giant glad golden graceful grand gritty handy happy hasty ' +
  'hollow humble icy idle ivory jolly keen kind lavish lazy lively lofty loyal lucky lunar mellow mighty misty modest ' +
  'narrow neat nimble noble odd olive orange pale patient plain polite proud purple quaint quick quiet rapid rare ripe ' +
  'robust rosy rough royal rustic salty scarlet shiny shy silent silver sleepy slender smooth snowy solar solid sour ' +
  'spicy steady stormy sturdy sunny swift tame tender thirsty tidy tiny torpid vivid warm wary windy wise witty zesty'
).split(' ');

const nouns = (
  'acorn alley almond anchor anvil apron arch arrow atlas attic badge bagel balcony bamboo banjo barrel basin basket beacon ' +
  'beetle bell bench berry blanket bonnet bottle boulder bridge broom bucket buckle button cabin cactus camel candle canoe ' +
  'canvas carpet cellar cherry chimney cello clover cobbler comet compass copper cottage cradle crater cricket crystal ' +
  'curtain daisy desk diary dolphin donkey dragon drum easel eagle elbow engine falcon feather fence fiddle flute forest ' +
  'fountain gallery garden garlic gazelle ginger glacier goblet granite guitar hammer hammock harbor harp hazel helmet ' +
  'heron hinge hornet island jacket jasmine jewel jigsaw kettle kitten ladder lantern lemon leopard lizard lobster locket ' +
  'magnet mango maple marble market meadow mirror mitten monkey mosaic muffin needle nickel notebook nutmeg oasis onion ' +
  'orchard otter paddle palace panda parrot pebble pencil pepper piano pickle pillow pirate planet plum pocket pond ' +
  'poplar prairie pumpkin puppet quartz quilt rabbit raft raven ribbon river rocket saddle saffron sailor sandal satchel ' +
  'scarf shovel signal sparrow spindle spoon squirrel stable statue sunflower swan tablet teapot temple thimble thistle ' +
  'tiger timber tomato towel tractor trumpet tulip tunnel turnip umbrella valley vase velvet village vine violin wagon ' +
  'walnut walrus whistle willow window yogurt zebra zipper'
).split(' ');

/** A key in words, such as `brisk-otter`: the form of RULER's and LongEval's keys, from lists of our own. */
export function wordKey(random: Random): string {
  return `${random.pick(adjectives)}-${random.pick(nouns)}`;
}
