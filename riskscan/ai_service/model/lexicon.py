# ruff: noqa: E501
"""The lexicon and the phrase patterns: what words and phrases say of a sentence, in English and Khmer.

Tags in capitals are stances (harm, negation, permission …); fin sch tec leg ope com oth stand for the
categories. BASE_FORMS are expanded to their regular inflections; EXACT_FORMS stand as they are.
"""

import re

BASE_FORMS = {
    "HARM": """
        delay loss damage failure fault defect breach default dispute penalty shortage shortfall deficit overrun outage
        accident injury crash collapse corruption leak flood fire theft fraud attack threat hazard danger disruption
        interruption bottleneck backlog complaint objection protest strike conflict lawsuit litigation claim injunction
        infringement violation offence sanction bankruptcy insolvency inflation recession decline erosion contamination
        pollution fatigue burnout illness turnover attrition resistance opposition distrust mistrust boycott criticism
        crack corrosion rust rot mould subsidence overload congestion downtime lag latency vulnerability exploit bug hang
        freeze slip lose fail break overspend overstretch jeopardise jeopardize endanger threaten undermine hamper hinder
        impede obstruct stall block disrupt interrupt worsen deteriorate degrade suffer struggle miss lapse expire
        withdraw revoke cancel suspend terminate abandon quit resign reject refuse deny oppose contest sue prosecute
        fine seize confiscate evict close_down halt stop overheat burst fall_ill misuse mislead misunderstand duplicate
        overwrite corrupt erase wipe spoil waste harm hurt kill injure scare angry strand starve drown flee sink jam
        clog choke warp swell shrink drift wear tear overflow outgrow poach infect trip stumble scrap write-off
        error mistake omission gap weakness flaw problem issue difficulty obstacle barrier setback concern worry fear
        doubt uncertainty complication trouble nuisance confusion chaos crisis emergency disaster catastrophe earthquake
        typhoon storm drought landslide epidemic pandemic outbreak unrest war embargo tariff escalation spike surge
        rumour scandal bribery corruption misconduct harassment absenteeism no-show dropout churn idle queue
        stick seep peel buckle bend snap splinter slide topple sag tilt warp blister burn scorch melt
        explode ignite electrocute poison pollute contaminate spill drip clog silt erode undercut scour seize jam
        reboot overcharge undercharge mismatch miscalculate misjudge underestimate overestimate overlook
        neglect ignore forget postpone stagnate falter dwindle crumble sour strain fray quarrel feud bicker split
        desert defect emigrate poach sabotage vandalise vandalize loot smuggle forge falsify plagiarise plagiarize
        infringe trespass encroach squat intimidate bully assault discriminate abuse exploit coerce
        blackmail extort embezzle launder evade hide conceal withhold dodge drag stall dither hesitate waver backtrack
        renege repudiate rescind annul invalidate void overrule veto ban prohibit outlaw bar exclude blacklist
        discontinue deprecate decommission retire sunset withdraw recall obsolete phase-out scrap shelve mothball
        disconnect unplug starve deprive exhaust deplete drain consume overdraw overspend bleed haemorrhage
        inquiry investigation probe allegation accusation summons subpoena lien encumbrance foreclosure eviction
        repossession liquidation receivership layoff redundancy walkout lockout stoppage standstill gridlock
        deadlock stalemate impasse hole glitch hiccup malfunction breakdown blackout brownout surge spike throttle
        timeout deadlock leakage seepage subsidence landslip sinkhole avalanche blizzard hurricane cyclone tsunami
        wildfire heatwave frost hail lightning swarm pest locust vermin rat mosquito disease infection virus malware
        ransomware phishing spyware hack hacker intruder burglar thief vandal plague cholera malaria dengue flu covid
        exodus brain-drain poverty hunger famine unrest riot coup insurgency landmine shelling sanction
        clash collide contradict diverge disagree mistrust alienate antagonise antagonize offend upset frustrate
        disappoint deter discourage demotivate dissuade lapse moult wither rot decay mould mildew infest rust corrode
        lag trail underperform underdeliver undercut undersell undercapitalise overpay overheat overcrowd overfish
        disqualify revoke suspend fine penalise penalize sanction prosecute indict convict sentence jail
        """,
    "EXPOSE": """
        indemnify indemnity forfeit forfeiture waive waiver disclaim disclaimer penalise penalize surcharge clawback
        recoup repay reimburse set-off encumber assign sublicense renew prolong acceleration recall redeem withhold
        relinquish surrender renounce liquidated
        """,
    "NEED": """
        backup contingency reserve spare insurance cover plan approval permit permission certificate licence license
        training documentation agreement contract budget funding fund money staff owner successor substitute alternative
        replacement guarantee warranty evidence record policy procedure test review check signature consent decision
        answer response commitment support supervision guidance specification requirement estimate quote date deadline
        copy mapping redundancy buffer slack float margin manual handover deputy stand-in resource time capacity
        equipment tool access account password data information source supplier strategy agreement clause provision
        remedy compensation refund protection safeguard alarm inspection maintenance assessment audit monitoring
        trace proof receipt baseline definition criterion rule process indicator survey analysis study design drawing
        map briefing drill exit fallback rollback encryption authentication logging stock inventory vehicle room space
        """,
    "BAD": """
        late slow weak poor bad worse worst old outdated obsolete unclear vague ambiguous unknown uncertain unstable
        unreliable unsafe unfair inadequate insufficient incomplete inaccurate inconsistent incorrect wrong invalid
        missing absent overdue outstanding pending tight aggressive ambitious optimistic unrealistic fragile thin scarce
        rare expensive costly dear heavy steep volatile fluctuating sceptical reluctant hostile unhappy angry dissatisfied
        tired exhausted overworked understaffed overbooked overloaded stretched short narrow steep shallow wet damp
        noisy dirty dangerous hazardous harmful toxic faulty defective broken cracked rusty leaky brittle loose buggy
        flaky incompatible unavailable unreachable unauthorised unauthorized illegal unlawful unenforceable void
        one-sided onerous uncapped unlimited punitive irreversible irrevocable perpetual difficult hard complex
        complicated impossible doubtful questionable disputed contested controversial unpopular political sensitive
        stale inexperienced untrained unqualified careless sick ill insolvent bankrupt idle redundant single-threaded
        manual ad-hoc undocumented unsupported unpatched unencrypted unprotected exposed vulnerable dependent
        sluggish patchy shaky rickety ramshackle dilapidated derelict rotten mouldy leaning sagging crooked blocked
        clogged jammed stuck stranded paralysed crippled chaotic haphazard sloppy careless negligent reckless lax
        loose lenient improvised makeshift provisional temporary interim stopgap overdue belated hasty rushed
        hurried premature frantic overstretched overcrowded overfull overbooked oversubscribed full congested
        saturated depleted empty dry arid flooded waterlogged soaked rusted corroded worn threadbare ageing aging
        antiquated archaic primitive legacy discontinued deprecated scarce insufficiently poorly badly barely hardly
        rarely seldom sporadic erratic intermittent irregular uneven unequal lopsided biased partial fragmentary
        sketchy superficial rudimentary flimsy fragile delicate precarious perilous risky unsafe slippery icy toxic
        polluted contaminated infected sick ill injured wounded traumatised demoralised demotivated frustrated weary
        disillusioned indifferent apathetic uninterested unwilling disloyal corrupt dishonest fraudulent forged fake
        counterfeit illicit unlicensed uncertified unregistered non-compliant noncompliant dubious murky opaque
        contradictory conflicting confusing confused misleading deceptive hidden undisclosed unilateral exclusive
        irretrievable indefinite open-ended unfunded underfunded uneconomic unprofitable loss-making indebted broke
        unaffordable exorbitant excessive punishing crushing staggering alarming worrying troubling dire bleak grim
        gloomy pessimistic hopeless doomed unfavourable unfavorable adverse detrimental
        """,
    "UP": "rise increase climb soar double triple grow jump escalate raise rocket surge mount swell",
    "DOWN": "fall drop decline decrease shrink fade dwindle diminish reduce lower plunge sink ebb halve lessen cut",
    "DEP": "depend rely hinge assume presuppose presume await",
    "LEAVE": "leave resign retire depart quit emigrate poach dismiss relocate",
    "MGMT": """
        register log matrix workshop appetite owner methodology framework scale scoring likelihood probability
        mitigation escalation-path assessment
        """,
    "SOFT": """
        function method parameter argument return raise throw exception class module import flag option stderr stdout
        variable config default boolean string install command run compile example script endpoint http json repository
        """,
    "BOIL": """
        govern counterpart heading notice jurisdiction herein hereof hereto hereunder thereof construe singular plural
        interpretation severable supersede preamble annex schedule appendix recital
        """,
    "fin": """
        budget cost price fee money cash fund funding finance financing loan debt credit interest_rate currency exchange
        inflation revenue income sales profit margin tax vat duty invoice payment bill salary wage rent deposit subsidy
        grant donor donation sponsor sponsorship pledge overspend overdraft expense expenditure spending dollar euro pound
        riel usd eur payback investment investor capital cashflow debtor creditor arrears premium discount quote quotation
        tariff surcharge charge rebate refund estimate contingency bank mortgage lender borrower insolvent bankrupt
        affordable afford dear expensive cheap reimburse royalty advance pay payable treasury share dividend appropriation
        liquidity forecast valuation audit-fee penalty interest recoup commission pricing billing collection
        write-off turnover purse purchase-price markup
        """,
    "sch": """
        delay deadline schedule timeline timetable late slip slippage postpone postponement behind overdue week month day
        milestone date calendar lead-time lead critical-path path float slack early earliest wait await pending duration
        finish start launch opening handover deliver delivery sequence rush hurry quarter season year fortnight spring
        summer autumn winter january february march april june july august september october november december monday
        friday easter sprint backlog hold hold-up plan push stall overrun arrive arrival mobilise mobilisation
        programme pace window queue turnaround completion extension
        """,
    "tec": """
        software system server database data migration integration interface api app application code bug crash network
        bandwidth wi-fi wifi internet connection hardware device sensor disk storage backup memory cpu performance latency
        version upgrade update patch security password encryption vulnerability hacker attacker malware virus firewall
        login url website web browser phone tablet laptop printer camera battery power voltage cable pump boiler motor
        engine valve pipe pipeline beam concrete steel foundation soil ground crack corrosion bridge roof wall structure
        load prototype test testing framework library plugin algorithm model firmware log query search upload download
        file format script parser cache cluster cloud virtual node router bandwidth technology technical legacy
        compatibility prototype calibration accuracy precision machine turbine transformer generator panel inverter weld
        bearing seal leak plate thickness groundwater drainage sewer main borehole slope_stability fault dataset pixel
        import export record_format field identifier schema signal coverage freeze scale scalability architecture refactor
        component obsolete sdk endpoint token certificate_chain
        """,
    "leg": """
        contract agreement clause term liability liable indemnify indemnity warranty terminate termination breach court
        lawsuit litigation claim dispute arbitration injunction lawyer counsel solicitor legal law title deed lease
        landlord tenant licence licensor licensee licensee intellectual property copyright patent trademark trade-mark
        ownership rights right exclusive exclusivity non-compete confidentiality waive waiver forfeit assign assignment
        sublicense renew renewal automatic notice party signatory sign signature unsigned enforceable unenforceable
        void jurisdiction remedy damages lien easement covenant shareholder guarantor discretion consent infringe
        infringement settlement tribunal plaintiff sue heir inheritance permission-to-use ambiguity open-source gpl
        supplier-terms purchaser seller buyer vendor contractor subcontractor franchise franchisee distributor territory
        agent principal employer employee artist author publisher lessee lessor insurer insured
        """,
    "ope": """
        staff team employee person people crew worker driver operator technician engineer nurse teacher trainer volunteer
        manager coordinator colleague successor deputy replacement recruit recruitment hire hiring vacancy vacant post
        training train skill knowledge experience expertise handover shift overtime workload fatigue burnout tired sick
        illness leave resign retire turnover supplier supply vendor logistics stock warehouse inventory transport
        truck lorry courier shipment shipping packaging port support helpdesk desk procedure process capacity demand
        safety accident injury evacuation emergency continuity shortage spare part maintenance equipment
        kitchen cook caretaker cleaner guard rota roster spreadsheet instruction manual outsourcing subcontractor
        bottleneck responsible responsibility nobody absent absence holiday departure key-person communication
        office queue customer-service harvest production plant
        """,
    "com": """
        regulation regulator regulatory statute law act compliance comply permit licence certificate certification audit
        auditor inspector inspection authority ministry gdpr privacy personal data-protection consent safety-standard
        standard iso policy bye-law bylaw code environmental emission waste hygiene fine sanction offence prosecution
        breach violation unlicensed unregistered registration accreditation reporting disclosure tax-return anti-bribery
        corruption-law grant-condition condition donor-rule procurement-rule receipt retention deletion retain record-keeping
        impact-assessment approval minimum-wage labour-law inspectorate licensing mandatory statutory legal-requirement
        expire expired asbestos noise medical health patient confidential eligibility whistleblower slavery sanctions
        accessibility building-control fire-safety quota customs export-control signed-off tender procurement
        """,
    "oth": """
        reputation image press media newspaper review rating public opinion politics political minister election council
        government mayor village community resident neighbour neighbor parent stakeholder partner sponsor board customer
        visitor audience market competitor competition rival demand brand weather storm rain flood typhoon drought
        earthquake landslide heat wind snow frost lightning wildlife nature bird tree river climate scope aim goal
        objective vision strategy requirement wish expectation feature-creep creep unclear priority interest support
        opposition protest trust distrust resistance buy-in enthusiasm acceptance culture rumour scandal campaign
        petition union crowd tourism tourist trend fashion popularity theft vandalism crime noise war
        conflict unrest pandemic epidemic festival name
        """,
}

EXACT_FORMS = {
    "NEG": """
        no not never none nobody neither nor without cannot nothing nowhere hardly barely lacks lack lacking isn't aren't
        wasn't weren't don't doesn't didn't won't can't couldn't wouldn't shouldn't hasn't haven't hadn't isnt no-one nought
        """,
    "MODAL": "may might could would possibly perhaps likely potentially probably",
    "COND": "if unless provided until should whether otherwise contingent subject assuming",
    "OBLIG": "shall must obliged obligated agrees undertakes required",
    "WILL": "will going planned scheduled intends plans due expected",
    "STILL": "still yet remains remain remaining awaiting waiting unresolved open pending outstanding unanswered again",
    "ONLY": "only just single sole solely one alone merely few half",
    "DONE": """
        settled resolved closed fixed repaired mended replaced completed complete finished obtained approved granted signed
        delivered passed confirmed received paid renewed reached met solved restored recovered lifted cured
        corrected removed installed tested verified validated agreed accepted awarded achieved opened launched held
        handed hired purchased ordered booked appointed recruited trained briefed checked inspected certified withdrawn
        dropped avoided averted prevented eliminated eased overcome refunded published submitted issued deployed
        introduced established ratified adopted welcomed thanked celebrated attended presented
        """,
    "GOOD": """
        good well successful successfully smoothly ahead early improved improvement pleased happy praise praised
        thanks thank excellent healthy sound stable safe secure clean ready comfortable ample enough sufficient
        satisfied positive popular strong unchanged unaffected undamaged unharmed normal normally reliable full fully
        win won award favourable cheaper faster saved saving savings surplus exceeded-expectations valid
        """,
    "CTRL": """
        insured covered protected monitored reviewed mirrored replicated encrypted backed automatically nightly daily
        weekly monthly annually quarterly every each always trained drills alarm redundant standby reserve buffer
        """,
    "PARTY": """
        party parties supplier provider licensor licensee landlord tenant lessor lessee lender borrower client customer
        contractor subcontractor purchaser buyer seller vendor company employer employee consultant agency agent
        distributor franchisor franchisee publisher author artist host user subscriber member bank insurer insured
        owner operator carrier shipper manufacturer guarantor investor shareholder founder recipient grantee grantor
        promoter venue organiser manager label studio producer developer bidder principal trustee school hirer guest
        university institute receiver discloser council participant exhibitor sponsor
        """,
    "EXCEED": "exceeds exceed exceeded more over above beyond below under less fewer than behind short against versus too",
    "DOUBT": """
        unclear unknown uncertain unsure unconfirmed undecided unproven untested question whether doubt doubts wonder
        guess guesswork assumption assumptions untried unseen unpredictable
        """,
    "NOW": "is are has have keeps continues currently now today",
    "PAST": "was were had did",
    "CONTRAST": "but although though however despite yet while whereas except",
    "CAUSE": "because since therefore so due owing hence",
    "DEFN": "means includes refers denotes defined called describes explains lists shows contains",
    "MONEY": "million thousand usd eur gbp dollars euros pounds riel k m £ $ €",
}

# without "may", which is far more often a modal verb than a month
DATES = """
    january february march april june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    jan feb mar apr jun jul aug sep sept oct nov dec
    """

# Khmer has no spaces between words: the longest of these words that matches at a position is taken
KHMER_WORDS = {
    "NEG": "មិន ពុំ គ្មាន ឥត មិនមែន គ្មាននរណា គ្មាននរណាម្នាក់ មិនដែល មិនមាន ពុំមាន គ្មានអ្នកណា",
    "STILL": "មិនទាន់ ពុំទាន់ នៅតែ នៅមិនទាន់ កំពុងរង់ចាំ រង់ចាំ នៅឡើយ",
    "MODAL": "អាច ប្រហែល ប្រហែលជា អាចនឹង ទំនង ទំនងជា",
    "COND": "ប្រសិនបើ បើ បើសិន ក្នុងករណី លុះត្រាតែ ទាល់តែ អាស្រ័យលើ អាស្រ័យ ពឹងផ្អែក ពឹងផ្អែកលើ ពឹងលើ",
    "OBLIG": "ត្រូវ ត្រូវតែ មានកាតព្វកិច្ច",
    "ONLY": "តែម្នាក់ តែមួយ តែម្នាក់គត់ ម្នាក់ឯង មួយគត់ ត្រឹមតែ",
    "HARM": """
        យឺត យឺតយ៉ាវ ពន្យារ ពន្យារពេល ខូច ខូចខាត ខាត ខាតបង់ បាត់បង់ បាត់ បរាជ័យ បញ្ហា ហានិភ័យ គ្រោះថ្នាក់ របួស
        ជំទាស់ ប្រឆាំង តវ៉ា បណ្ដឹង បណ្តឹង ប្ដឹង ប្តឹង ជម្លោះ វិវាទ លាឈប់ លាលែង ឈប់ធ្វើការ ចាកចេញ ខ្វះ ខ្វះខាត កង្វះ កង្វះខាត
        រំលោភ រំលោភបំពាន បំពាន ល្មើស ខុសច្បាប់ ផាកពិន័យ ពិន័យ ពិន័យជាប្រាក់ លុបចោល ផ្អាក បញ្ឈប់ រារាំង រាំងស្ទះ កកស្ទះ
        លើស លើសថវិកា ធ្លាក់ចុះ ធ្លាក់ ថយចុះ ទឹកជំនន់ គ្រោះធម្មជាតិ ខ្យល់ព្យុះ ព្យុះ រញ្ជួយដី រាំងស្ងួត គ្រោះរាំងស្ងួត លេចធ្លាយ ធ្លាយ ប្រេះ បាក់
        បាក់ស្រុត រលំ ឆេះ អគ្គិភ័យ លួច ចោរកម្ម វាយប្រហារ មេរោគ គាំង រអាក់រអួល ដាច់ ដាច់ភ្លើង ដាច់អ៊ីនធឺណិត ផុតកំណត់ ហួសកំណត់
        ក្ស័យធន ជំពាក់ បំណុល អតិផរណា ឡើងថ្លៃ រអ៊ូរទាំ មិនពេញចិត្ត មន្ទិល សង្ស័យ ព្រួយបារម្ភ ភ័យខ្លាច បំផ្លាញ ប៉ះពាល់ បាត់ទិន្នន័យ
        ដកហូត រឹបអូស បដិសេធ បោះបង់ ឈឺ ហត់នឿយ អស់កម្លាំង ស្លាប់ គ្រោះមហន្តរាយ ជំងឺ កូដកម្ម បាតុកម្ម អំពើពុករលួយ ក្លែងបន្លំ
        ប្រកែក ច្រាន បោកប្រាស់ ឆ្លង បំពុល ការបំពុល កខ្វក់ ហូរច្រោះ លិច លិចទឹក រអិល
        """,
    "BAD": """
        ចាស់ ចាស់ណាស់ ទន់ខ្សោយ ខ្សោយ យឺតពេក តឹងរ៉ឹង តឹង តិច តិចពេក តិចតួច ពិបាក លំបាក ស្មុគស្មាញ មិនច្បាស់ មិនច្បាស់លាស់ មិនគ្រប់គ្រាន់
        មិនគ្រប់ មិនត្រឹមត្រូវ មិនស្ថិតស្ថេរ មិនអាច ហួសសម័យ ថ្លៃ ខ្ពស់ពេក លើសទម្ងន់ គ្មានសុវត្ថិភាព តូច តូចពេក ចង្អៀត
        ក្រោមស្តង់ដារ មិនស្របតាម ខុស មិនល្អ អន់ ឧស្សាហ៍ ញឹកញាប់ ខ្លី ខ្លីពេក
        """,
    "EXPOSE": """
        ទទួលខុសត្រូវ សំណង ទូទាត់សង ការប្រាក់ ប្រាក់កក់ ប្រគល់ជូនវិញ បង្វិលសង បញ្ចប់កិច្ចសន្យា ផ្តាច់មុខ ឯកតោភាគី ស្វ័យប្រវត្តិ
        បន្តដោយស្វ័យប្រវត្តិ ដោយមិនជូនដំណឹង ដោយមិនចាំបាច់ជូនដំណឹង តាមឆន្ទានុសិទ្ធិ រំលាយកិច្ចសន្យា នៅពេលណាក៏បាន គ្រប់ពេល
        """,
    "DONE": """
        បានបញ្ចប់ បានដោះស្រាយ បានជួសជុល ត្រូវបានដោះស្រាយ បានទទួល បានអនុម័ត បានចុះហត្ថលេខា ដោយជោគជ័យ ជោគជ័យ បានប្រគល់
        បានទូទាត់ បានបង់ រួចរាល់ រួច រួចហើយ បានសម្រេច បានផ្លាស់ប្តូរ បានដំឡើង បានពិនិត្យ បានបើក បានតែងតាំង បានបណ្តុះបណ្តាល
        """,
    "GOOD": "ល្អ ល្អប្រសើរ ធម្មតា គ្រប់គ្រាន់ ទាន់ពេល ទាន់ពេលវេលា មានសុវត្ថិភាព ពេញចិត្ត ស្របតាម ត្រឹមត្រូវ",
    "CTRL": "រៀងរាល់ ប្រចាំ រាល់ខែ រាល់ថ្ងៃ ប្រចាំខែ ប្រចាំឆ្នាំ ប្រចាំសប្តាហ៍ ធានារ៉ាប់រង ត្រួតពិនិត្យ",
    "NEED": """
        ផែនការបម្រុង បម្រុង ប្រាក់បម្រុង អាជ្ញាប័ណ្ណ លិខិតអនុញ្ញាត ការអនុញ្ញាត ច្បាប់អនុញ្ញាត វិញ្ញាបនបត្រ ការបណ្តុះបណ្តាល
        បុគ្គលិក អ្នកជំនួស អ្នកបច្ចេកទេស អ្នកជំនាញ ឯកសារ កិច្ចព្រមព្រៀង ហត្ថលេខា សេចក្តីសម្រេច ថវិកា មូលនិធិ ថតចម្លង ការវាយតម្លៃ
        ធានា ការធានា ឧបករណ៍ ទិន្នន័យបម្រុង ភ្លើងបម្រុង សវនកម្ម គោលការណ៍ នីតិវិធី
        """,
    "PARTY": "ភាគី ភាគីក ភាគីខ អ្នកលក់ អ្នកទិញ ម្ចាស់ផ្ទះ អ្នកជួល អ្នកផ្គត់ផ្គង់ អ្នកម៉ៅការ ក្រុមហ៊ុន និយោជក និយោជិត ធនាគារ អ្នកខ្ចី",
    "WILL": "នឹង គ្រោង គ្រោងទុក ត្រៀម",
    "PAST": "បាន",
    "CAUSE": "ដោយសារ ព្រោះ ដោយហេតុ",
    "CONTRAST": "ប៉ុន្តែ ទោះបី ក៏ប៉ុន្តែ",
    "UP": "កើនឡើង ឡើង កើន ហក់ឡើង",
    "EXCEED": "លើសពី ក្រោម តិចជាង ច្រើនជាង លើស ជាងគ្រោង",
    "fin": """
        ថវិកា ប្រាក់ ប្រាក់កក់ តម្លៃ ចំណាយ ចំណូល ថ្លៃ ដុល្លារ រៀល បង់ប្រាក់ ទូទាត់ វិក្កយបត្រ ហិរញ្ញវត្ថុ មូលនិធិ ម្ចាស់ជំនួយ កម្ចី បំណុល ការប្រាក់
        ពន្ធ ប្រាក់ខែ ប្រាក់ឈ្នួល ថ្លៃឈ្នួល អតិផរណា អត្រាប្តូរប្រាក់ ចំណេញ ខាតបង់ សាច់ប្រាក់ ជំនួយ មូលប្បទានបត្រ ហិរញ្ញប្បទាន ឥណទាន
        """,
    "sch": """
        យឺត យឺតយ៉ាវ កាលកំណត់ កាលវិភាគ ពេលវេលា ខែ សប្តាហ៍ ថ្ងៃ ពន្យារ ពន្យារពេល ទាន់ពេល ឆ្នាំ ថ្ងៃផុតកំណត់ ដំណាក់កាល មកដល់ រង់ចាំ
        រយៈពេល លើកពេល បន្ត ដឹកជញ្ជូន
        """,
    "tec": """
        ប្រព័ន្ធ កុំព្យូទ័រ ម៉ាស៊ីន ម៉ាស៊ីនមេ ទិន្នន័យ កម្មវិធី បណ្តាញ អ៊ីនធឺណិត សូហ្វវែរ បច្ចេកទេស គេហទំព័រ មេរោគ ពាក្យសម្ងាត់ សុវត្ថិភាពប្រព័ន្ធ
        អគ្គិសនី ស្ពាន ជញ្ជាំង ដំបូល គ្រឹះ បេតុង ឧបករណ៍ ស្នប់ បំពង់ ម៉ាស៊ីនភ្លើង ខូច គាំង រចនាសម្ព័ន្ធ ដី អណ្តូង ទូរស័ព្ទ ថ្ម អាគុយ ម៉ូទ័រ
        """,
    "leg": """
        កិច្ចសន្យា ភាគី ទំនួលខុសត្រូវ ទទួលខុសត្រូវ តុលាការ បណ្តឹង បណ្ដឹង ប្តឹង ប្ដឹង វិវាទ ជម្លោះ ប្រការ លក្ខខណ្ឌ សិទ្ធិ កម្មសិទ្ធិ កម្មសិទ្ធិបញ្ញា បញ្ចប់កិច្ចសន្យា រំលាយ
        ហត្ថលេខា ជួល ម្ចាស់ផ្ទះ អ្នកជួល ប័ណ្ណកម្មសិទ្ធិ សំណង ធានា មេធាវី ផ្តាច់មុខ រក្សាសិទ្ធិ
        """,
    "ope": """
        បុគ្គលិក កម្មករ ក្រុមការងារ អ្នកបើកបរ អ្នកបច្ចេកទេស ជាង វិស្វករ គ្រូ គ្រូបង្រៀន គិលានុបដ្ឋាក លាឈប់ លាលែង អ្នកជំនួស អ្នកផ្គត់ផ្គង់ ផ្គត់ផ្គង់ ដឹកជញ្ជូន ឃ្លាំង ស្តុក
        បណ្តុះបណ្តាល ជំនាញ បទពិសោធន៍ នីតិវិធី សុវត្ថិភាព គ្រោះថ្នាក់ការងារ គ្រឿងបន្លាស់ ថែទាំ សមត្ថភាព អ្នកគ្រប់គ្រង កង្វះបុគ្គលិក ធនធានមនុស្ស ធនធាន
        """,
    "com": """
        ច្បាប់ អាជ្ញាប័ណ្ណ អាជ្ញាធរ លិខិតអនុញ្ញាត ក្រសួង បទប្បញ្ញត្តិ អនុលោមភាព សវនកម្ម ស្តង់ដារ វិញ្ញាបនបត្រ បរិស្ថាន ហេតុប៉ះពាល់បរិស្ថាន ពិន័យ
        ផាកពិន័យ ទិន្នន័យផ្ទាល់ខ្លួន អនាម័យ ការអនុញ្ញាត អធិការ អធិការកិច្ច ចុះបញ្ជី អនុក្រឹត្យ ប្រកាស គយ ពន្ធដារ នីតិវិធីលទ្ធកម្ម ឯកជនភាព
        """,
    "oth": """
        គ្រោះធម្មជាតិ ទឹកជំនន់ ភ្លៀង ខ្យល់ព្យុះ ព្យុះ អាកាសធាតុ សហគមន៍ ប្រជាពលរដ្ឋ អ្នកភូមិ មេភូមិ អ្នកស្រុក នយោបាយ បោះឆ្នោត កេរ្តិ៍ឈ្មោះ អ្នកប្រកួតប្រជែង
        គូប្រជែង ទីផ្សារ អតិថិជន ដៃគូ ភ្ញៀវទេសចរ គោលដៅ វិសាលភាព តម្រូវការ រាំងស្ងួត គ្រោះរាំងស្ងួត រញ្ជួយដី ជំងឺរាតត្បាត សារព័ត៌មាន មិនគាំទ្រ ការគាំទ្រ មតិសាធារណៈ
        """,
}

# each pattern is a feature of its own
PHRASES = {
    # denial and absence of harm
    "denial": r"\bno (?:further |major |serious |significant |new |known |open |adverse )*(?:delays?|impacts?|effects?|risks?|issues?|problems?|complaints?|defects?|incidents?|concerns?|accidents?|injur\w+|objections?|remarks?|changes?|errors?|faults?|damage|losses|claims?|disputes?|findings?|deviations?|surprises?|overruns?|failures?|vulnerabilit\w+|downtime|outages?|penalt\w+)\b",
    "denial2": r"\b(?:nobody|no one|none|nothing|neither) (?:was|were|of|in|has been|is) (?:the )?\w+ ?(?:hurt|injured|harmed|damaged|lost|wrong|missing|affected|late|over)",
    "not_expected": r"\b(?:not|n't) (?:expected|anticipated|foreseen|affect\w*|at risk|a (?:problem|risk|concern)|needed|necessary|required|an issue)\b",
    "notyet": r"\b(?:not|n't|never|nor) (?:yet |been |be |so far )*(?:\w+ed|been|done|made|given|sent|paid|found|begun|written|seen|set|met|shown|come|taken|drawn|put|built|known|chosen|held|begun)\b|\byet to be\b|\bhas yet\b|\bhave yet\b",
    "absent": r"\b(?:no|without|lacks?|lack of|absence of|missing|nobody|no one|none|nothing)\b(?: \w+){0,3} (?:backup|plan|contingency|budget|owner|agreement|contract|insurance|cover|training|staff|money|funds?|funding|alternative|replacement|substitute|successor|evidence|proof|records?|documentation|procedure|policy|test\w*|review|approval|permit|licen[cs]e|certificate|support|spare\w*|reserve|slack|time|copy|copies|exit|remedy|clause|provision|warranty|guarantee|control|access|capacity|decision|answer|reply|commitment|consent|stand-?by|deputy|date|room|margin|left)\b",
    "nothing_left": r"\b(?:no|nothing|little|not enough|none|hardly any)\b.{0,30}\bleft\b|\bused up\b|\brun(?:s|ning)? out\b|\bran out\b|\bexhausted\b|\bspent already\b|\balready spent\b",
    "nobody": r"\b(?:nobody|no one|no-one)\b",
    "nobody_harm": r"\b(?:nobody|no one|no-one) (?:was|has been|is|were) (?:hurt|injured|harmed|ill|absent|affected|missing|late)",
    "there_is_no": r"\bthere(?:'s| is| are|'re| was| were) (?:currently |still |as yet |at present )?(?:no|not|nothing|nobody|only|just|little|too)\b",
    "has_no": r"\b(?:has|have|had|with|got) (?:\w+ )?(?:no|neither|nothing|little|too few|too little|not enough)\b",
    "not_been": r"\b(?:has|have)(?: not|n't| never| yet to)\b",
    "does_not": r"\b(?:do|does|did|is|are|can|will|would|could|was|were)(?: not|n't)\b|\bcannot\b",
    # threats, doubts, dependence
    "may_harm": r"\b(?:may|might|could|can|would|will|likely to|threatens? to|tends? to|risks?) (?:not |well |also |still |be |become |get |have to be |then |lead to |result in |cause )*(?:\w+ly )?(?:lose|lost|fail|delay\w*|slip|break|miss\w*|exceed|overrun|collapse|stop\w*|close\w*|withdraw\w*|refuse\w*|reject\w*|cancel\w*|leave|quit|resign|damage\w*|disrupt\w*|harm\w*|hurt|increase\w*|rise|double|drop|fall|suffer|expire|lapse|revoke\w*|suspend\w*|block\w*|flood\w*|leak\w*|crash\w*|corrupt\w*|late|unavailable|short|insufficient|void|invalid|expensive|dearer|worse|slower|unable|oppose\w*|object\w*|complain\w*|sue|claim\w*|abandon\w*|postpone\w*|jeopardi[sz]e\w*|threaten\w*|compromise\w*|expose\w*|undermine\w*|challenge\w*)\b",
    "if_then": r"\b(?:if|unless|should|in case|once|where)\b.{3,120}\b(?:will|would|may|might|could|can|must|shall|lose|cannot|can't|won't|is|are|fails?|stops?)\b",
    "if_start": r"^(?:if|unless|should|in the event|in case|where|failing)\b",
    "failure_to": r"\bfailure (?:to|by|of)\b|\bfails? to\b|\bfailing (?:to|which)\b|\bunable to\b|\binability\b",
    "depends": r"\b(?:depends?|depending|dependent|relies|rely|hinges?|rests?|conditional|contingent|reliant|counts?|banks?) (?:up)?on\b",
    "assumes": r"\bassum(?:es?|ing|ption|ptions|ed)\b|\bpresuppos\w+|\bprovided that\b|\bonly (?:if|when|once|after|as long as)\b|\bholds? only\b|\btak(?:es|en) for granted\b|\bhop(?:e|es|ing) (?:that|to|for)\b",
    "unclear": r"\b(?:unclear|not clear|unknown|not known|uncertain|unsure|undecided|undetermined|unconfirmed|open question|not sure|don't know|do not know|nobody knows|no one knows|doubt\w*|remains to be seen|to be (?:confirmed|determined|decided|agreed)|tbc|tbd)\b",
    "whether": r"\bwhether\b",
    "at_risk": r"\b(?:at risk|in jeopardy|in danger|under threat|under pressure|threaten\w*|jeopardi[sz]\w+|endanger\w*|at stake|critical|worr\w+|concern(?:s|ed)?|fear\w*|afraid)\b",
    "only_one": r"\b(?:only|just|single|sole|solely) (?:one|a single|two|person|supplier|source|\w+ (?:who|that|which|person|supplier|engineer|developer|copy|vendor))\b|\b(?:one|single|sole)[- ](?:person|man|woman|supplier|source|point|developer|engineer|vendor|customer)\b|\bonly \w+ (?:knows?|can|has|understands?)\b|\bin the hands of\b|\bin (?:his|her|one person's) head\b|\bno one else\b|\bnobody else\b",
    "n_of_m": r"\b(?:\w+|\d+) (?:out )?of (?:the |our |its |all )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty)\b",
    "half_of": r"\b(?:half|third|quarter|most|majority|many|several|some|\d+ ?%|per ?cent) of\b",
    "behind": r"\b(?:behind (?:plan|schedule|target|time)?|over budget|over-?run\w*|overspen\w+|too (?:late|short|slow|small|few|little|narrow|thin|weak|old|heavy|many|much|high|low|expensive|tight|optimistic)|below (?:the )?(?:minimum|target|plan|limit|required|standard|budget)|above (?:the )?(?:limit|budget|plan|target|maximum|estimate|allowance)|short of|less than (?:planned|required|needed|promised)|fewer than|not enough|more than (?:planned|budgeted|expected|the|we|it|allowed)|as against|instead of|against (?:a )?(?:plan|target|budget|\w+ (?:allowed|planned|budgeted)))",
    "late": r"\b(?:late|later than|delayed?|delays|overdue|slipp\w+|slips|postponed|pushed (?:back|to)|put off|held up|holding up|hold-?ups?|waiting (?:for|on)|stuck|stalled|on hold|dragg\w+|in arrears|has (?:still )?not (?:arrived|started|begun|come)|yet to (?:arrive|start|begin|sign|approve|confirm))\b",
    "earliest": r"\bat the (?:very )?(?:earliest|soonest)\b|\bnot before\b|\bno earlier than\b",
    "worsening": r"\b(?:getting|growing|becoming|gets?|grows?|becomes?|increasingly|more and more|keeps? (?:on )?\w+ing|continues? to (?:fall|rise|grow|drop|slip))\b",
    "falling": r"\b(?:falling|dropping|declining|shrinking|dwindling|rising|soaring|climbing|fallen|dropped|dropping|shrunk|doubled|tripled|gone up|gone down|went up|up by|down (?:by|to))\b",
    "opposes": r"\b(?:oppos\w+|object(?:s|ed|ing|ion|ions)? to|resist\w*|against the|reluctan\w+|refus\w+|unwilling|hostil\w+|protest\w*|boycott\w*|petition\w*|fight|angry|resent\w*|distrust|mistrust|sceptic\w*|skeptic\w*|disagree\w*|quarrel\w*|unhappy|upset|complain\w*)\b",
    "un_ed": r"\bun(?!ited|ion|ique|iver|der|til|less|changed|affected|damaged|harmed|interrupted|it|like)\w+(?:ed|en|id)\b",
    "ends_soon": r"\b(?:expires?|expired|expiring|runs? out|ends?|ending|lapses?|reach(?:es)? end of life|end[- ]of[- ]life|end of support|discontinu\w+|switch(?:ed)? off|phased? out|no longer (?:supported|maintained|made|valid|available|produced))\b",
    "no_longer": r"\bno longer\b",
    "resigned": r"\b(?:resign\w*|leav(?:es?|ing) (?:in|at|us|the|for)|has left|retir\w+|quit\w*|on (?:sick|maternity|parental) leave|vacan\w+|unfilled|long-term sick|handed in|gave notice|left the)\b",
    "never_tested": r"\b(?:never|not|n't|nobody has|no one has) (?:yet |ever |been )*(?:test\w*|tried|check\w*|verif\w*|rehears\w*|review\w*|audit\w*|inspect\w*|measur\w*|exercis\w*|practis\w*|validat\w*)\b|\buntested\b",
    "despite": r"\b(?:although|though|despite|in spite of|contrary to|in breach of|against the (?:rules?|law|bye-?laws?|policy|terms|standard|code))\b",
    "without_x": r"\bwithout (?:a |an |any |the |his |her |their |its |our |prior |valid |proper )*(?!trouble|incident|problem|delay|difficult|issue|interruption|remark|comment|hitch|limitation|charge)\w+",
    "without_trouble": r"\bwithout (?:any |a |further )?(?:trouble|incident|problems?|delay|difficult\w+|issues?|interruption|remarks?|comments?|hitch|accident|fault|error|complaint)\b",
    "exceeds": r"\b(?:exceed(?:s|ed|ing)?|surpass\w*|outstrip\w*|outpac\w*|more than)\b",
    "cost_more": r"\bcosts? (?:more|\d+|twice|extra|us)\b|\bdearer\b|\bpric(?:e|es|ing) (?:rise|rises|increase|escalation|hike|could|may|might|will|have|has|is|are)\b|\bextra costs?\b|\badditional costs?\b",
    # contract exposure
    "liable": r"\b(?:not (?:be )?(?:liable|responsible)|no (?:liability|responsibility|warranty|warranties|obligation)|accepts? no|assumes? no|excludes? (?:all |any )?(?:liability|warrant\w+)|liab(?:le|ility) (?:is|shall be|for|of|to|in)|unlimited|uncapped|without limit\w*|hold(?:s)? harmless|indemnif\w+|as[- ]is|disclaim\w*|in no event|to the fullest extent|at (?:its|his|her|their|the \w+'s) own (?:risk|cost|expense))\b",
    "discretion": r"\b(?:sole|absolute|own|unfettered|entire) discretion\b|\bat any time\b|\bfor any (?:or no )?reason\b|\bwithout (?:prior |further |giving |any )*(?:notice|cause|reasons?|consent|compensation|telling|informing|asking|refund|liability)\b|\bas it sees fit\b|\bunilateral\w*\b|\bfor convenience\b",
    "party_may": r"\b[A-Z]\w+ (?:may|reserves? the right to|is entitled to|has the right to|shall be entitled to|can) (?:not |also |immediately |at any time |,)*\w+",
    "may_bad_act": r"\b(?:may|reserves? the right to|entitled to|right to) (?:\w+ly )?(?:terminate|cancel|suspend|change|amend|vary|alter|modify|increase|raise|adjust|withhold|deduct|assign|transfer|disclose|reject|refuse|retain|set off|recoup|recover|revoke|withdraw|charge|impose|publish|use|share|inspect|enter|evict|sell|erase|delete|move|replace|discontinue|close|claim|demand|call in|require|keep|reduce|renegotiate)\b",
    "may_not": r"\b(?:may not|shall not|must not|is not (?:allowed|permitted|entitled)|prohibit\w*|forbid\w*|forbidden|not entitled|barred|restrain\w*|refrain)\b",
    "penalty": r"\b(?:penalt(?:y|ies)|liquidated damages|interest (?:of|at|on)|late (?:fee|charge|payment)|surcharge|forfeit\w*|non-?refundable|not (?:be )?(?:refunded|refundable|returned|repaid)|no refunds?|per (?:day|week|month) of delay|clawback|claw back|repay|pay (?:back|regardless|in full even)|default interest|early (?:exit|repayment|termination) (?:fee|charge))\b",
    "renewal": r"\b(?:automatic(?:ally)? (?:renew\w*|extend\w*|prolong\w*|roll\w*)|renew(?:s|ed|al)?\b.{0,60}\bunless|(?:extend\w*|prolong\w*|roll\w* over|continues?)\b.{0,80}\b(?:unless|if (?:it is )?not))",
    "deemed": r"\b(?:deemed|shall be (?:considered|treated as)|irrevocabl\w+|perpetual\w*|in perpetuity|waiv\w+|relinquish\w*|surrender\w*|lose(?:s)? (?:the|its|all|any|his|her)|exclusive\w*|non-?compet\w*|not (?:work|engage|compete|solicit|compete with)|lock-?in|right of first refusal|royalty-free|moral rights)\b",
    "joint": r"\b(?:jointly and severally|personal guarantee|personally liable|cross-default|accelerat\w+|immediately (?:due|payable|repayable)|become(?:s)? (?:due|payable))\b",
    "regardless": r"\b(?:regardless|irrespective|whether or not|even if|notwithstanding|in any (?:case|event)|without deduction)\b",
    "silent": r"\b(?:silent on|does not (?:say|state|define|mention|specify|provide|cover|address|include|set out)|doesn't (?:say|state|define|mention|specify|cover|include)|not (?:defined|specified|covered|included|mentioned|stated|part of)|contradict\w*|ambigu\w+|inconsistent with|open to interpretation)\b",
    "unsigned": r"\b(?:unsigned|not (?:yet )?(?:been )?(?:signed|countersigned|executed)|without signing|expired (?:contract|agreement|lease)|no (?:written )?(?:contract|agreement)|verbal\w*|handshake|letter of intent)\b",
    "lawsuit": r"\b(?:sue[sd]?|suing|lawsuit|court|litigation|injunction|legal action|claim(?:s|ed)? (?:for|against|that)|arbitration|notice of (?:dispute|breach|default)|infring\w+|alleg\w+|contest(?:s|ed|ing)?|appeal)\b",
    # compliance
    "unlawful": r"\b(?:illegal\w*|unlawful\w*|against the law|violat\w+|breach(?:es|ed|ing)? (?:of )?|contraven\w+|infring\w+|non-?complian\w+|not compl(?:y|iant)|contrary to|offence|prosecut\w+|fine[sd]?\b|sanction\w*|not (?:allowed|permitted|licensed|registered|authorised|authorized|approved)|does(?:n't| not) (?:meet|comply|satisfy|conform)|fails? to (?:meet|comply))\b",
    "permit": r"\b(?:permits?|licen[cs]es?|certificates?|consents?|authorisations?|authorizations?|approvals?|accreditation|registration)\b",
    # resolved, good news, controls
    "resolved": r"\b(?:was|were|been|has been|have been|is now|are now|got|now) (?:\w+ly |all |now |since |promptly |fully )?(?:settled|resolved|closed|fixed|repaired|mended|replaced|completed|finished|obtained|approved|granted|signed|delivered|passed|confirmed|received|paid|renewed|reached|met|solved|restored|recovered|lifted|cured|corrected|removed|cleared|withdrawn|dropped|deleted|eliminated|rectified|refunded|averted|avoided|insured|sorted)\b",
    "subject_done": r"^(?:the |all |both |our |a |an )?[\w' -]{2,50} (?:was|were|has been|have been) \w+(?:ed|en|d|t|ne|un)\b",
    "done_date": r"\b(?:on|in|since|at the) (?:\d{1,2} )?(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|spring|summer|autumn|winter|\d{4})\b",
    "all_ok": r"\b(?:all|every|each|both|fully|entirely) .{0,40}\b(?:obtained|paid|signed|complete\w*|approved|in place|in order|in date|passed|received|delivered|trained|certified|met|ready|done|valid|agreed|closed)\b",
    "on_track": r"\b(?:on (?:track|time|schedule|budget|target|plan)|within (?:budget|the budget|limits|tolerance|plan)|ahead of (?:schedule|plan)|as (?:planned|agreed|expected|scheduled)|in good (?:order|condition|shape)|up to date|in place|successfully|without incident|no cause for|went (?:well|smoothly))\b",
    "neither": r"\bneither\b.*\bnor\b",
    "control": r"\b(?:are|is|were|was) (?:tested|checked|reviewed|backed up|inspected|monitored|audited|serviced|trained|insured|encrypted|mirrored|calibrated|drilled|rehearsed|updated|held|kept|stored|measured|logged) (?:\w+ly|every|each|twice|once|by|in|on|for)\b|\b(?:nightly|weekly|monthly|daily|quarterly|yearly|annually|regularly)\b",
    "insured": r"\b(?:insured|covered by|guaranteed|backed by|reserve of|contingency of|buffer of|always (?:at hand|available)|automatically (?:starts?|switches|restarts?|takes)|starts? automatically|spare (?:is|are) (?:kept|held)|fail-?over|stand-?by (?:\w+ )?(?:is|starts|takes))\b",
    # boilerplate and other parts of documents
    "mgmt_talk": r"\brisks? (?:register|log|owner|level|matrix|assessment|review|management|analysis|workshop|category|categories|scale|score|appetite|rating|response|plan|committee|officer|identification|policy|process|committee)\b|\b(?:likelihood|probability|impact) (?:scale|is rated|from|×|x|and impact)\b|\blessons learn\w+|\bissue log\b|\bdifference between\b|\bthe concept of\b",
    "definition": r"[\"“”'‘][A-Z][^\"”]{1,50}[\"”'’] (?:means?|has|shall|includes?|refers?|denotes)\b|\bmeans (?:the|a|an|any|each)\b|\bhas the meaning\b|\bis defined (?:as|in)\b|\bhereinafter\b|\bstands for\b",
    "boilerplate": r"\b(?:governed by|courts? of|jurisdiction|in counterparts|entire agreement|severab\w+|headings are|for convenience only|words in the singular|notices? (?:shall|must|under|are|to)|is executed|in witness|this (?:agreement|deed|contract|lease) (?:is|may be|shall be) (?:governed|executed|made|dated|amended)|the others? stand|remaining provisions|successors and (?:permitted )?assigns)\b",
    "duty": r"\b[A-Z]\w+ (?:shall|will|must|agrees to|undertakes to) (?:\w+ly )?(?:keep|provide|deliver|pay|maintain|supply|use|perform|carry|give|make|submit|notify|inform|ensure|return|comply|prepare|appoint|cooperate|co-operate|allow|insure|repair|attend|report|issue|invoice|send|receive|support|assist|treat|observe|clean|store|register|consult)\b",
    "passive_duty": r"\b(?:shall|must) be (?:paid|made|given|sent|delivered|kept|submitted|in writing|reviewed|used|returned|agreed|provided|signed|stored|maintained|performed|carried|issued|addressed|worn|approved)\b",
    "instruction": r"^(?:set|use|run|click|open|select|install|add|create|copy|see|note that|enter|press|choose|type|call|pass|configure|enable|disable|download|restart|edit|check|make sure|ensure|refer|contact|read|follow|import|export|start|save|go to|replace|remove|clone|build|send|please)\b",
    "code": r"[a-z]+_[a-z]+|\w+\(\)|`|\b(?:DEBUG|TODO|HTTP|JSON|YAML|stderr|stdout|null|None|True|False|localhost|pip|npm|git)\b|--\w+|\bv?\d+\.\d+\.\d+\b|=\d|/\w+/\w+",
    "software_err": r"\b(?:raises?|throws?|returns?|logs?|catch(?:es)?|handles?|retr(?:y|ies)|exits?|prints?|ignores?) (?:an? |the |with |all |any |non-zero )?(?:\w*error|exception|failures?|warning|status|code|exit|null|none|\d+|invalid|three|twice)\b|\berrors? (?:are|is) (?:written|logged|reported|returned|handled|shown)\b|\btests? (?:cover|check|verify)\b|\bfunction\b",
    "key_value": r"^[A-Z][\w /-]{1,30}: ",
    "pipe": r"\|",
    "heading_like": r"^(?:\d+(?:\.\d+)*\.? )?[A-Z][A-Z &/-]+$",
    "see_ref": r"\b(?:see|refer to|described in|given in|shown in|set out in|listed in|attached|annex|appendix|table \d|figure \d|section \d|clause \d|chapter \d|lesson \d|below|overleaf)\b",
    "people_met": r"\b(?:meets?|met|meeting|attended|present|chair\w*|minutes|agenda|thanked|welcomed|reported that|presented|discussed|approved|noted)\b",
    "optional_good": r"\b(?:may|can|could) (?:also |even |later |still |be |add |publish |choose |request |ask |apply |use |cancel )+\w*",
    "weather_ok": r"\b(?:weather permitting|if (?:it is|the weather is) (?:sunny|fine|dry)|if (?:all|everything) (?:goes|is)|if (?:the )?tests? (?:pass|are))\b",
    "question": r"\?$",
    "we_may_good": r"\b(?:we|the team|they|members|users|guests|visitors|participants|students|customers) (?:may|can|could) \w+",
    "red_flag": r"^(?:red|amber|blocked|blocker|behind plan|risk|issue|concern|problem|threat|danger|warning|critical)\b ?[:\-–]",
    "trend": r"\b(?:for the (?:second|third|fourth|fifth|past|last)|each (?:of the past|time)|(?:twice|three times|repeatedly|again) \w+|keeps? \w+ing|once more|every (?:extra|additional|further) )",
    "forgot": r"\b(?:forgot\w*|overlook\w*|ignor(?:es?|ed|ing)|neglect\w*|not (?:asked|consulted|informed|told|briefed|included|invited|counted|budgeted|foreseen|considered))\b",
    "wrong_state": r"\b(?:broken|cracked|leak(?:s|ing|ed)?|rust\w*|rotten|damaged|corroded|worn|frozen|crash(?:es|ed)?|freezes|drops?|fails?|failed|failing|stopped working|out of order|out of date|outdated|unlocked|visible to|differs?|mismatch\w*|overwrit\w*|duplicate\w*|slow(?:er|s)?|unstable|overloaded|overheats?|times? out|lost)\b",
    "scope_creep": r"\b(?:keeps? (?:changing|growing|being added)|changes? from|scope (?:creep|grow\w*|chang\w*|is|has|was)|new requirements|extra (?:wishes|features|requests)|without anybody saying|moving target)\b",
    "noun_risk": r"^(?:(?:late|delayed?|loss|lack|shortage|failure|price|cost|budget|data|schedule|risk|increase|rising|insufficient|inadequate|poor|unclear|missing|withdrawal|revocation|departure|resignation|damage|breach|dispute|litigation|unavailability|non-\w+|over\w+|under\w+|escalation|fluctuation|change|changes|delays|theft|fraud|collapse|bankruptcy|insolvency|cancellation|expiry|corruption|contamination|absence|incomplete|unexpected|limited|weak|possible|potential)\b)[^.]*$",
    "harm_of": r"\b(?:loss|lack|shortage|failure|delay|withdrawal|revocation|departure|resignation|damage|breach|theft|escalation|collapse|bankruptcy|insolvency|cancellation|corruption|contamination|absence|unavailability|misuse|leakage|interruption|disruption|outage|overrun|deterioration|erosion|rejection|refusal|expiry|non-\w+) (?:of|in|by|to|from|during|due|at|on|between)\b",
}
CASE_SENSITIVE = ("party_may", "duty", "heading_like", "code", "definition", "key_value")
PHRASE_PATTERNS = [
    (name, re.compile(pattern, 0 if name in CASE_SENSITIVE else re.I)) for name, pattern in PHRASES.items()
]


def _inflect(word: str) -> set[str]:
    """Return the regular forms of a noun or verb, with some that do not exist."""
    forms = {word, word + "s"}
    if word.endswith("e"):
        forms |= {word + "d", word[:-1] + "ing"}
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        forms |= {word[:-1] + "ies", word[:-1] + "ied", word + "ing"}
    else:
        forms |= {word + "ed", word + "ing", word + "es"}
        if len(word) < 7 and re.search(r"[^aeiou][aeiou][bdgklmnprt]$", word):
            forms |= {word + word[-1] + "ed", word + word[-1] + "ing"}
    return forms


IRREGULAR_FORMS = {
    "lose": "lost", "break": "broke broken", "fall": "fell fallen", "rise": "rose risen", "leave": "left", "withdraw": "withdrew withdrawn",
    "grow": "grew grown", "freeze": "froze frozen", "sink": "sank sunk", "pay": "paid", "overrun": "overran", "build": "built",
    "hang": "hung", "steal": "stolen stole", "throw": "threw thrown", "drive": "drove driven", "teach": "taught", "spend": "spent",
    "wear": "wore worn", "tear": "tore torn", "shrink": "shrank shrunk", "strike": "struck", "mislead": "misled", "overspend": "overspent",
}  # fmt: skip


def _all_forms(word: str) -> list[str]:
    return [*_inflect(word), *IRREGULAR_FORMS.get(word, "").split()]


def _tags_by_word(*sources: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Turn words by tag into tags by word, in the order of the sources."""
    # a dict keeps the order and drops what comes twice
    tags: dict[str, dict[str, None]] = {}
    for source in sources:
        for tag, words in source.items():
            for word in words:
                tags.setdefault(word, {})[tag] = None
    return {word: tuple(known) for word, known in tags.items()}


LEXICON = _tags_by_word(
    {tag: [form for word in words.split() for form in _all_forms(word)] for tag, words in BASE_FORMS.items()},
    {tag: words.split() for tag, words in EXACT_FORMS.items()},
)
DATE_WORDS = frozenset(DATES.split())
KHMER_LEXICON = _tags_by_word({tag: words.split() for tag, words in KHMER_WORDS.items()})
KHMER_WORD = re.compile("|".join(sorted(KHMER_LEXICON, key=len, reverse=True)))
