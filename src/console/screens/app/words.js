// The page's own words. Content brings its words in both languages itself.

const WORDS = {
    'zh-CN': {
        title: '云货架',
        home: '返回全部商品',
        all: '全部商品',
        stock: '现货 {n} 件',
        soldout: '暂时无货',
        favour: '收藏',
        favoured: '已收藏',
        take: '带到手机',
        scan: '用手机扫一扫，把这件商品带走',
        scanned: '已扫码 ✓',
        expired: '二维码已过期',
        buy: '我要购买',
        bought: '好的，请稍候，店员马上到',
        lifted: '您拿起了这件商品',
        language: 'English',
        touch: '轻触屏幕，了解商品',
        away: '暂时无法连接',
        close: '关闭',
        welcome: '欢迎回来',
        leave: '结束',
        left: '您的会员服务已结束',
        identify: '屏幕',
        mirror: '试妆镜',
        shades: '色号',
        snap: '拍照',
        photo: '试妆照',
        again: '重拍',
        discard: '删除照片',
        scanphoto: '用手机扫一扫，照片只给您；取走后本机立即删除',
        before: '试妆前 / 后',
        skin: '肌肤测试',
        sample: '领取小样',
        sampled: '好的，请到派样机扫会员码领取',
        approximate: '屏幕颜色仅供参考，以实物为准。画面只留在本机，离开后立即清除。',
        measuring: '请正对镜子，稍候……',
        measuredit: '测试完成',
        'light-clipped': '光线太强，请换个位置再试',
        'light-uneven': '光线不均匀，请正对光源',
        'light-dark': '光线太暗，请靠近光源',
        'light-no-face': '没有看到完整的脸，请正对镜子',
        tone: '肤色',
        'tone-very-light': '很浅',
        'tone-light': '浅',
        'tone-intermediate': '中等',
        'tone-tan': '偏深',
        'tone-brown': '深',
        'tone-dark': '很深',
        redness: '泛红（相对额头）',
        shine: '表面反光',
        spots: '可见斑点',
        lines: '眼角纹理',
        nearer: '请靠近一些',
        caveat: '由普通摄像头估算，受光线和妆容影响；不是医疗器械，不能诊断。水分、油脂、敏感度无法由摄像头测量。',
    },
    en: {
        title: 'Cloud shelf',
        home: 'All products',
        all: 'All products',
        stock: '{n} in stock',
        soldout: 'Not in stock now',
        favour: 'Favourite',
        favoured: 'A favourite',
        take: 'Take it along',
        scan: 'Scan with your phone to take this product along',
        scanned: 'Scanned ✓',
        expired: 'The code has expired',
        buy: 'I want to buy it',
        bought: 'Thank you, somebody will be with you',
        lifted: 'You have picked this up',
        language: '中文',
        mirror: 'Make-up mirror',
        shades: 'Shades',
        snap: 'Take a photo',
        photo: 'Your photo',
        again: 'Once more',
        discard: 'Delete the photo',
        scanphoto: 'Scan with your phone: the photo is yours alone, and is deleted here once you have it',
        before: 'Before / after',
        skin: 'Skin test',
        sample: 'Get a sample',
        sampled: 'Please scan your member code at the sampling machine',
        approximate: 'Colours on a screen are approximate. The picture stays on this machine and is gone when you leave.',
        measuring: 'Please face the mirror …',
        measuredit: 'Done',
        'light-clipped': 'There is too much light: please try another place',
        'light-uneven': 'The light comes from one side: please face it',
        'light-dark': 'There is too little light: please come nearer to the lamp',
        'light-no-face': 'Your whole face is not to be seen: please face the mirror',
        tone: 'Tone',
        'tone-very-light': 'very light',
        'tone-light': 'light',
        'tone-intermediate': 'intermediate',
        'tone-tan': 'tan',
        'tone-brown': 'brown',
        'tone-dark': 'dark',
        redness: 'Redness (against the forehead)',
        shine: 'Surface shine',
        spots: 'Visible spots',
        lines: 'Lines beside the eyes',
        nearer: 'come nearer',
        caveat:
            'Estimated by an ordinary camera; light and make-up change it. No medical device, no diagnosis. Moisture, sebum and sensitivity cannot be seen by a camera.',
        touch: 'Touch the screen to look around',
        away: 'Not connected just now',
        close: 'Close',
        welcome: 'Welcome back',
        leave: 'End',
        left: 'Your session is over',
        identify: 'Screen',
    },
};

// What became of a coupon, a purchase or a sample: how it is meant, and its words. `word:reason` without words of its own
// has those of `word`; what nobody here knows sends the shopper to somebody who does.
const VERDICTS = {
    'coupon-redeemed': ['good', '优惠券使用成功', 'Your coupon is accepted'],
    'pickup-redeemed': ['good', '取货码有效，请稍候取货', 'Pick-up code accepted: your order is coming'],
    'coupon-refused:used': ['bad', '这张券已经用过了', 'This coupon has been used already'],
    'coupon-refused:expired': ['bad', '这张券已过期', 'This coupon has expired'],
    'coupon-refused:not-yet': ['bad', '这张券还没到使用时间', 'This coupon is not valid yet'],
    'coupon-refused:wrong-audience': ['bad', '这张券不能在本店使用', 'This coupon is for another shop'],
    'coupon-refused:malformed': ['bad', '无法识别这张券', 'This is no coupon of ours'],
    'coupon-refused:forged': ['bad', '这张券无效', 'This coupon is not valid'],
    'coupon-refused:unknown-key': ['ask', '这里还不能用这张券，请咨询店员', 'Not accepted here: please ask our staff'],
    'coupon-refused:clock-unsynced': ['ask', '暂时不能核销，请咨询店员', 'Not possible just now: please ask our staff'],
    'sale-pay': ['wait', '请出示付款码', 'Please show your payment code'],
    'sale-asking': ['wait', '正在确认付款，请稍候', 'Checking your payment: one moment please'],
    'sale-coming': ['wait', '请稍候，正在出货', 'Thank you: your product is coming'],
    'sale-dispensed': ['good', '请取走您的商品', 'Please take your product'],
    'sale-refused': ['bad', '没有成交，未扣款', 'Not sold: you have paid nothing'],
    'sale-refused:sold-out': ['bad', '已售罄，未扣款', 'Sold out: you have paid nothing'],
    'sale-refused:nothing-selected': ['bad', '请先选择商品', 'Please choose a product first'],
    'sale-refused:busy': ['wait', '上一笔还没完成，请稍候', 'Another purchase is not finished yet'],
    'sale-refused:no-payment': ['bad', '没有收到付款，交易已取消', 'No payment came: nothing was sold'],
    'sale-refused:cloud-away': ['bad', '暂时不能付款，未扣款', 'Paying is not possible now: you have paid nothing'],
    'sale-refunding': ['bad', '没有成交，已付款项会退回', 'It did not work: what you paid goes back to you'],
    'sale-failed': ['ask', '没有出货，请咨询店员', 'Nothing came out: please ask our staff'],
    'sale-indeterminate': ['ask', '请稍候，请咨询店员', 'Something went wrong: please ask our staff'],
    'sample-coming': ['wait', '请稍候，小样马上就来', 'One moment: your sample is coming'],
    'sample-given': ['good', '请取走您的小样', 'Please take your sample'],
    'sample-refused': ['ask', '没有派出小样，请咨询店员', 'No sample came out: please ask our staff'],
    'sample-refused:already-given': ['bad', '您已经领取过了', 'You have had your sample already'],
    'sample-refused:quota-used': ['bad', '小样已派完', 'All samples have been given away'],
    'sample-refused:sold-out': ['bad', '小样已派完', 'All samples have been given away'],
    'sample-refused:not-yet': ['bad', '活动还没开始', 'It has not begun yet'],
    'sample-refused:campaign-over': ['bad', '活动已结束', 'It is over'],
    'sample-refused:clock-unsynced': ['ask', '暂时不能领取，请咨询店员', 'Not possible just now: please ask our staff'],
    'ask': ['ask', '请咨询店员', 'Please ask our staff'],
};

let language =
    new URLSearchParams(location.search).get('lang') === 'en' ? 'en' : document.documentElement.lang || 'zh-CN';
if (!WORDS[language]) language = 'zh-CN';

export const lang = () => language;

export function setLang(to) {
    language = WORDS[to] ? to : 'zh-CN';
    document.documentElement.lang = language;
}

export const word = (key, n) => WORDS[language][key].replace('{n}', n);

/** Of a text of the content. */
export const said = (words) => (words ? words[language] || words['zh-CN'] || words.en || '' : '');

/** Both languages, first the one that is spoken here. */
function ordered(zh, en) {
    const words = [
        { lang: 'zh-CN', text: zh },
        { lang: 'en', text: en },
    ];
    return language === 'en' ? words.reverse() : words;
}

/** A word of the page's own in both languages. */
export const both = (key) => ordered(WORDS['zh-CN'][key], WORDS.en[key]);

/** What is said of a verdict: how it is meant, and its words. */
export function verdict(name) {
    const [tone, zh, en] = VERDICTS[name] || VERDICTS[name.split(':')[0]] || VERDICTS.ask;
    return { tone, words: ordered(zh, en) };
}
