"""The 80 names of COCO (Lin et al., "Microsoft COCO", ECCV 2014), their synonyms, and what they are called in Chinese.

A line for each: the name, English synonyms with commas between, Chinese names with spaces between, the usual one first.
With ``~`` before it a word means less than the name does, such as taxi for car.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE = """
person: human, pedestrian, passerby, bystander, ~man, ~woman, ~boy, ~girl, ~child, ~kid, ~baby, ~guy, ~lady, ~actor,
  ~player, ~rider
  : 人 行人 路人 人物 人们 ~男人 ~女人 ~男子 ~女子 ~男孩 ~女孩 ~男生 ~女生
  ~小孩 ~孩子 ~儿童 ~婴儿 ~老人 ~演员 ~球员 ~骑手
bicycle: bike, cycle, pushbike: 自行车 单车 脚踏车
car: automobile, ~sedan, ~taxi, ~cab, ~suv, ~jeep: 汽车 ~轿车 小汽车 小车 车子 车 ~出租车 ~计程车 ~的士
motorcycle: motorbike, ~moped, ~scooter: 摩托车 摩托 机车 ~电动车
airplane: aeroplane, plane, aircraft, ~jet: 飞机 ~客机
bus: ~coach, ~minibus: 公交车 巴士 公共汽车 公车 ~大巴 客车
train: ~tram, ~locomotive: 火车 列车 ~电车 ~高铁 ~地铁
truck: lorry, ~van, ~pickup: 卡车 货车 ~面包车 ~皮卡
boat: ~ship, ~yacht, ~canoe, ~kayak, ~sailboat, ~ferry: 船 小船 ~轮船 ~帆船 ~游艇 ~舟
traffic light: traffic signal, stoplight: 红绿灯 交通灯 信号灯
fire hydrant: hydrant: 消防栓 消火栓
stop sign: : 停车标志 停车牌
parking meter: : 停车计时器 停车收费表
bench: : 长椅 长凳 板凳
bird: ~pigeon, ~seagull, ~duck, ~swan, ~goose, ~crow, ~chicken, ~sparrow
  : 鸟 小鸟 ~鸽子 ~海鸥 ~鸭子 ~天鹅 ~鹅 ~乌鸦 ~鸡 ~麻雀
cat: ~kitten, kitty: 猫 小猫 猫咪
dog: ~puppy, ~hound: 狗 小狗 犬 狗狗
horse: ~pony, ~foal: 马 ~小马 马匹
sheep: ~lamb, ~goat: 羊 ~绵羊 ~山羊 ~小羊
cow: cattle, ~bull, ~ox, ~calf: 牛 ~奶牛 ~母牛 ~公牛 ~黄牛
elephant: : 大象 象
bear: : 熊 狗熊
zebra: : 斑马
giraffe: : 长颈鹿
backpack: rucksack, knapsack: 背包 双肩包 ~书包
umbrella: parasol: 雨伞 伞 阳伞
handbag: bag, ~purse: 手提包 手袋 ~皮包 包包 包
tie: necktie: 领带
suitcase: luggage, baggage: 行李箱 手提箱 行李 箱子
frisbee: flying disc: 飞盘
skis: ski: 滑雪板 雪橇
snowboard: : 单板滑雪板 单板
sports ball: ball, ~football, ~soccer ball, ~basketball, ~volleyball, ~tennis ball: 球 ~足球 ~篮球 ~排球 ~网球
kite: : 风筝
baseball bat: bat: 棒球棒 球棒
baseball glove: mitt: 棒球手套
skateboard: : 滑板
surfboard: : 冲浪板
tennis racket: racket, racquet, tennis racquet: 网球拍 球拍
bottle: : 瓶子 瓶 ~水瓶 ~酒瓶
wine glass: ~goblet: 酒杯 ~高脚杯 ~红酒杯
cup: ~mug: 杯子 杯 ~水杯 ~茶杯 ~咖啡杯
fork: : 叉子 叉 餐叉
knife: : 刀 刀子 ~小刀 ~餐刀
spoon: : 勺子 勺 汤匙 调羹
bowl: : 碗
banana: : 香蕉
apple: : 苹果
sandwich: ~burger, ~hamburger: 三明治 ~汉堡 ~汉堡包
orange: ~tangerine, ~mandarin: 橙子 ~橘子 橙
broccoli: : 西兰花 花椰菜
carrot: : 胡萝卜 红萝卜
hot dog: hotdog: 热狗
pizza: : 披萨 比萨 披萨饼 比萨饼
donut: doughnut: 甜甜圈
cake: : 蛋糕
chair: ~stool, ~armchair: 椅子 椅 ~凳子
couch: sofa, settee: 沙发
potted plant: plant, houseplant, pot plant: 盆栽 盆景 植物 花盆
bed: : 床
dining table: table, desk: 餐桌 桌子 桌 ~饭桌
toilet: lavatory: 马桶 座便器
tv: television, tv set, ~monitor, ~screen, telly: 电视 电视机 ~显示器 ~屏幕
laptop: laptop computer, notebook computer, ~computer: 笔记本电脑 笔记本 笔电 电脑
mouse: computer mouse: 鼠标 滑鼠
remote: remote control: 遥控器
keyboard: : 键盘
cell phone: phone, mobile, mobile phone, cellphone, smartphone, telephone, iphone: 手机 电话 ~智能手机 移动电话 行动电话
microwave: microwave oven: 微波炉
oven: ~stove, cooker: 烤箱 烤炉 ~炉子
toaster: : 烤面包机
sink: basin, washbasin: 水槽 洗手池 洗手盆
refrigerator: fridge, ~freezer: 冰箱 电冰箱
book: : 书 书本 书籍
clock: ~watch: 时钟 钟 钟表 ~手表
vase: : 花瓶
scissors: : 剪刀
teddy bear: teddy, stuffed toy, plush toy: 泰迪熊 玩具熊 毛绒玩具
hair drier: hair dryer, hairdryer, blow dryer: 吹风机 电吹风
toothbrush: : 牙刷
"""

_GROUPS = """
vehicle: car, truck, bus, motorcycle, bicycle, train: 车辆 交通工具
animal: bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe: 动物 宠物
fruit: banana, apple, orange: 水果
furniture: chair, couch, bed, dining table, bench: 家具
"""

_TRADITIONAL = """
车車 辆輛 轿轎 单單 脚腳 动動 机機 计計 电電 飞飛 货貨 轮輪 红紅 绿綠 灯燈 号號 标標 志誌 长長 鸟鳥 鸽鴿 鸥鷗 鸭鴨 鹅鵝
鸦鴉 鸡雞 乌烏 马馬 绵綿 颈頸 双雙 书書 伞傘 阳陽 领領 带帶 风風 筝箏 网網 汤湯 调調 苹蘋 汉漢 热熱 饭飯 视視 显顯 笔筆
记記 脑腦 键鍵 盘盤 遥遙 话話 炉爐 面麵 钟鐘 表錶 儿兒 婴嬰 员員 骑騎 铁鐵 黄黃 银銀 时時 冲衝 萝蘿 卜蔔 兰蘭 猫貓 费費
宠寵 饼餅 个個 张張 条條 只隻 头頭 两兩 这這 们們 蓝藍 颜顏 绒絨 游遊 几幾 与與
"""
"""Each simplified character of these names, and of what is said before them, with its traditional form."""


@dataclass(frozen=True)
class NameEntry:
    """One thing that has a name.

    Args:
        name: COCO's own, in English.
        synonyms: further English names, singular; of a group, the names in it.
        chinese: simplified, the usual one first.
        narrower: those of them that mean only some of these things.
    """

    name: str
    synonyms: tuple[str, ...]
    chinese: tuple[str, ...]
    narrower: frozenset[str] = frozenset()


def _read(table: str) -> tuple[NameEntry, ...]:
    return tuple(_entry(line) for line in table.strip().replace("\n  ", " ").splitlines())


def _entry(line: str) -> NameEntry:
    name, english, chinese = (part.strip() for part in line.split(":"))
    synonyms = [word.strip() for word in english.split(",") if word.strip()]
    narrower = frozenset(word[1:] for word in synonyms + chinese.split() if word.startswith("~"))
    plain = tuple(word.removeprefix("~") for word in synonyms)
    return NameEntry(name, plain, tuple(word.removeprefix("~") for word in chinese.split()), narrower)


ENTRIES = _read(_TABLE)
"""Every name, in COCO's order."""

GROUPS = _read(_GROUPS)
"""Words for several names at once, which stand where synonyms do."""

TO_SIMPLIFIED = str.maketrans({pair[1]: pair[0] for pair in _TRADITIONAL.split()})
TO_TRADITIONAL = str.maketrans({pair[0]: pair[1] for pair in _TRADITIONAL.split()})
